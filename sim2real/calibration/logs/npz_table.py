"""NPZ: arrays of one or two dimensions, read through numpy's own header format."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.logs.table import Block, Table, same_length
from sim2real.errors import LogError
from sim2real.spool import blocks

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_DAMAGE = (ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile,
           zlib.error)  # fmt: skip


@final
class NpzTable(Table):
    """An NPZ file of plain arrays, each decompressed as it is read."""

    def columns(self) -> dict[str, int]:
        """Return the names of the arrays (t,) and (t, k)."""
        with self._open() as archive:
            shapes = {name: self._start(archive, name)[1] for name in _names(archive)}
        return {n: shape[1] if len(shape) == 2 else 1 for n, shape in shapes.items() if shape}

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the arrays' rows, decompressed as they are asked for."""
        with self._open() as archive, ExitStack() as stack:
            arrays = {name: self._start(archive, name) for name in names}
            for file, *_ in arrays.values():
                stack.enter_context(file)
            for name, (_, shape, fortran, dtype) in arrays.items():
                if dtype.hasobject or len(shape) not in (1, 2) or (fortran and len(shape) == 2):
                    raise LogError(
                        f"{self.path}: {name!r} is an array of shape {shape} and type {dtype}"
                        f"{' in Fortran order' if fortran else ''}: a column is an array of numbers"
                        " (t,) or (t, k) in C order"
                    )
            rows = same_length(self.path, {name: item[1][0] for name, item in arrays.items()})
            for part in blocks(rows):
                yield {n: _read(item, part.stop - part.start) for n, item in arrays.items()}

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except OSError as error:
            raise LogError(f"{self.path}: cannot be read: {error.strerror or error}") from None
        except _DAMAGE as error:
            raise LogError(f"{self.path}: not an NPZ file of plain arrays: {error}") from None

    def _start(
        self, archive: zipfile.ZipFile, name: str
    ) -> tuple[IO[bytes], tuple[int, ...], bool, np.dtype[Any]]:
        file = archive.open(f"{name}.npy")
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise ValueError(f"{name!r} has an array header of version {version}")
        return file, *_HEADERS[version](file)


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _read(item: tuple[IO[bytes], tuple[int, ...], bool, np.dtype[Any]], rows: int) -> NDArray[Any]:
    file, shape, _, dtype = item
    wanted = rows * dtype.itemsize * int(np.prod(shape[1:]))
    data = file.read(wanted)
    if len(data) < wanted:
        raise ValueError("an array ends before its last row")
    return np.frombuffer(data, dtype).reshape(rows, *shape[1:])
