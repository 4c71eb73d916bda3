"""HDF5: datasets anywhere in the file, as ALOHA and robomimic write them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from sim2real.calibration.logs.table import Block, Table, same_length
from sim2real.errors import LogError, MissingExtraError
from sim2real.spool import blocks


@final
class Hdf5Table(Table):
    """An HDF5 file; a column is named by its path in it: `observations/qpos`."""

    def columns(self) -> dict[str, int]:
        """Return the paths of all datasets of numbers (t,) or (t, k)."""
        found: dict[str, int] = {}

        def visit(name: str, item: Any) -> None:
            if len(getattr(item, "shape", None) or ()) in (1, 2) and item.dtype.kind in "iufb":
                found[name] = item.shape[1] if len(item.shape) == 2 else 1

        with self._open() as file:
            file.visititems(visit)
        return found

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield slices of the datasets."""
        with self._open() as file:
            rows = same_length(self.path, {name: file[name].shape[0] for name in names})
            for part in blocks(rows):
                yield {name: file[name][part] for name in names}

    def facts(self) -> Mapping[str, Any]:
        """Return the attributes of the file."""
        with self._open() as file:
            return {name: _plain(value) for name, value in file.attrs.items()}

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            import h5py
        except ModuleNotFoundError:
            raise MissingExtraError("h5py", "logs") from None
        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise LogError(f"{self.path}: not an HDF5 file, or a damaged one: {error}") from None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
