"""Parquet, as LeRobot stores its datasets: lists of numbers named in meta/info.json."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.logs.table import Block, Table
from sim2real.errors import LogError, MissingExtraError
from sim2real.spool import BLOCK


@final
class ParquetTable(Table):
    """A Parquet file with columns of numbers, or of lists of equally many numbers."""

    def columns(self) -> dict[str, int]:
        """Return the columns of numbers, and of lists of numbers."""
        with self._open() as file:
            schema = file.schema_arrow
            first = next(file.iter_batches(batch_size=1), None)
            width = {
                name: len(first.column(name)[0].as_py() or ()) if first and _is_list(kind) else 1
                for name, kind in zip(schema.names, schema.types, strict=True)
                if _is_list(kind) or _is_number(kind)
            }
        return width

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield batches."""
        with self._open() as file:
            for batch in file.iter_batches(BLOCK, columns=list(names), use_threads=False):
                yield {name: self._values(batch.column(name), name) for name in names}

    def parts(self, column: str) -> Sequence[str]:
        """Return the names that meta/info.json of a LeRobot dataset gives."""
        for folder in self.path.resolve().parents[:4]:
            info = folder / "meta" / "info.json"
            if info.is_file():
                try:
                    names = json.loads(info.read_text())["features"][column]["names"]
                except (ValueError, KeyError, TypeError, OSError):
                    return ()
                names = names.get("motors", ()) if isinstance(names, dict) else names
                return [str(name) for name in names or ()]
        return ()

    def _values(self, column: Any, name: str) -> NDArray[Any]:
        import pyarrow as pa

        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns")).cast(pa.int64())
        if not _is_list(column.type):
            return column.to_numpy(zero_copy_only=False)
        flat = column.flatten().to_numpy(zero_copy_only=False)
        width = len(column[0].as_py() or ()) if len(column) else 0
        same = pa.types.is_fixed_size_list(column.type) or bool(
            (np.asarray(column.value_lengths().fill_null(-1)) == width).all()
        )
        if not same or len(flat) != len(column) * width:
            raise LogError(f"{self.path}: {name!r} holds lists of different lengths")
        return flat.reshape(len(column), width)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ModuleNotFoundError:
            raise MissingExtraError("pyarrow", "logs") from None
        try:
            with parquet.ParquetFile(self.path, pre_buffer=False) as file:
                yield file
        except (pa.ArrowException, OSError, ValueError) as error:  # names that are no text, too
            raise LogError(f"{self.path}: not a Parquet file, or a damaged one: {error}") from None


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in lists) and _is_number(kind.value_type)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_timestamp)
    return any(test(kind) for test in tests)
