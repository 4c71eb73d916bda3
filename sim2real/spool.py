"""Rows of numbers that arrive in blocks: in memory while they are few, in a file beyond that.

A log of 10⁷ rows becomes arrays of some gigabytes. Spooled, they are mapped from a temporary file
(without a name, in the folder that TMPDIR names), and the machine keeps of them in memory what it
has room for.
"""

import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Any, final

import numpy as np
from numpy.typing import NDArray

BLOCK = 65_536
"""Rows that are worked on at a time."""

MEMORY = 8 * 2**20
"""Bytes that one spool holds in memory before it turns to a file."""


@final
class Spool:
    """One array of `width` numbers a row, which grows."""

    def __init__(self, width: int | None = None, dtype: Any = np.float64):
        """Prepare for rows of shape (width,), or of single numbers."""
        self._row = () if width is None else (width,)
        self._dtype = np.dtype(dtype)
        self._blocks: list[NDArray[Any]] = []
        self._held, self._rows = 0, 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._rows

    def append(self, block: NDArray[Any]) -> None:
        """Add rows (n,) or (n, width); of another shape they are a ValueError."""
        rows = np.array(block, self._dtype, order="C").reshape(len(block), *self._row)
        self._blocks.append(rows)
        self._rows += len(rows)
        self._held += rows.nbytes
        if self._held > MEMORY:
            self._write()

    def array(self) -> NDArray[Any]:
        """Return all rows; mapped from the file, read-only, if there is one."""
        shape = (self._rows, *self._row)
        if self._file is None:
            parts = self._blocks or [np.empty((0, *self._row), self._dtype)]
            return np.concatenate(parts)
        self._write()
        self._file.flush()
        return np.memmap(self._file, self._dtype, "r", shape=shape)

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="sim2real-")  # noqa: SIM115 - array() maps it
            weakref.finalize(self, self._file.close)  # a map of it stays
        for rows in self._blocks:
            self._file.write(rows.data)
        self._blocks, self._held = [], 0


def blocks(rows: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices that together are `rows` rows."""
    return (slice(first, min(first + size, rows)) for first in range(0, rows, size))
