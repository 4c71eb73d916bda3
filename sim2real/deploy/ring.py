"""Rows of a run in shared memory: one process writes, another reads, and neither waits.

    head: count u64 · lost u64 · wish u64 · stops u64 · rearms u64 · padding to 64 bytes
          · reason: 192 bytes of UTF-8
    rows: capacity × (tick, state, verdict, seq, stamp, received, event, acting: 8 × i64;
          numbers: n × f64)

The writer fills a row before it counts it; the reader takes counted rows, and then looks whether
they have been overwritten meanwhile. The file has no name: it is gone with the last process.
"""

import mmap
import os
import tempfile
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

_WORDS, _REASON = 64, 192
_HEAD = _WORDS + _REASON
INTEGERS = 8


@final
class Ring:
    """The last `capacity` rows of `INTEGERS` int64 and `width` float64."""

    def __init__(self, capacity: int, width: int, file: int | None = None):
        """Make a ring, or open that of another process by its file descriptor."""
        self.capacity, self.width = capacity, width
        size = _HEAD + capacity * 8 * (INTEGERS + width)
        self.file = _unnamed(size) if file is None else file
        self._memory = mmap.mmap(self.file, size)
        self._head = np.frombuffer(self._memory, np.uint64, 5)
        words = np.frombuffer(self._memory, np.int64, offset=_HEAD).reshape(capacity, -1)
        self.integers: NDArray[np.int64] = words[:, :INTEGERS]
        self.numbers: NDArray[np.float64] = words.view(np.float64)[:, INTEGERS:]

    @property
    def count(self) -> int:
        """Rows that were ever written."""
        return int(self._head[0])

    @property
    def lost(self) -> int:
        """Rows that were overwritten before they were read."""
        return int(self._head[1])

    @lost.setter
    def lost(self, value: int) -> None:
        self._head[1] = value

    @property
    def wish(self) -> int:
        """A word from the writer to the reader."""
        return int(self._head[2])

    @wish.setter
    def wish(self, value: int) -> None:
        self._head[2] = value

    @property
    def stops(self) -> int:
        """How often an operator asked for a stop."""
        return int(self._head[3])

    @property
    def rearms(self) -> int:
        """How often an operator asked to leave a trip."""
        return int(self._head[4])

    def ask_stop(self) -> None:
        """Have the loop trip."""
        self._head[3] += 1

    def ask_rearm(self) -> None:
        """Have the loop leave a trip."""
        self._head[4] += 1

    @property
    def reason(self) -> str:
        """Why the run tripped; empty while it has not."""
        text = bytes(self._memory[_WORDS:_HEAD]).partition(b"\0")[0]
        return text.decode(errors="ignore")

    @reason.setter
    def reason(self, value: str) -> None:
        self._memory[_WORDS:_HEAD] = value.encode()[: _REASON - 1].ljust(_REASON, b"\0")

    def slot(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the row to be filled next, to be counted by `push`."""
        row = self.count % self.capacity
        return self.integers[row], self.numbers[row]

    def push(self) -> None:
        """Count the row that was filled."""
        self._head[0] += 1

    def read(self, first: int) -> tuple[int, NDArray[np.int64], NDArray[np.float64]]:
        """Return copies of the rows from number `first` on that are still there.

        Returns:
            number: of the first row that is returned: larger than `first` if rows were lost.
            integers: (n, INTEGERS).
            numbers: (n, width).
        """
        count = self.count
        oldest = max(first, count - self.capacity)
        rows = np.arange(oldest, count) % self.capacity
        integers, numbers = self.integers[rows], self.numbers[rows]
        # what was written meanwhile, and the row that is being written now
        gone = max(0, min(self.count + 1 - self.capacity - oldest, count - oldest))
        return oldest + gone, integers[gone:], numbers[gone:]

    def close(self) -> None:
        """Let go of the memory."""
        os.close(self.file)


def _unnamed(size: int) -> int:
    """Return the descriptor of a file without a name, in memory where there is such a place."""
    memory = Path("/dev/shm")
    folder = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryFile(prefix="sim2real-", dir=folder) as file:
        file.truncate(size)
        return os.dup(file.fileno())
