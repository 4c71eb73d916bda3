"""Common Data Representation, as ROS 2 sends messages: OMG's DDSI-RTPS 2.3, chapter 10.

Four bytes tell the encoding; numbers after them are aligned to their size, counted from there.
Reading is bounded by the data: no length in a message is believed before it is checked.
"""

import struct
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import LinkError

ENCAPSULATION = b"\x00\x01\x00\x00"
"""Plain CDR, little-endian."""
_HEADER = 4
_LENGTH = struct.Struct("<I")


@final
class CdrReader:
    """Reads the members of a message in their order; raises LinkError where they end too soon."""

    def __init__(self, data: bytes):
        if len(data) < _HEADER or data[0] != 0 or data[1] not in (0, 1):
            raise LinkError(f"a message that begins with {data[:4].hex(' ')} is not plain CDR")
        self._data = data
        self._order = "<" if data[1] else ">"
        self.offset = _HEADER
        """Of the next member, before its alignment."""

    def integers(self, count: int) -> tuple[int, ...]:
        """Return signed integers of 32 bits."""
        start = self._advance(4, count)
        return struct.unpack_from(f"{self._order}{count}i", self._data, start)

    def length(self) -> int:
        """Return how many elements a sequence, or bytes a text, has."""
        start = self._advance(4, 1)
        return struct.unpack_from(f"{self._order}I", self._data, start)[0]

    def text(self) -> str:
        """Return a text."""
        size = self.length()
        start = self._advance(1, size)
        try:
            return self._data[start : start + size].rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise LinkError("a text in a message is not UTF-8") from None

    def texts(self) -> list[str]:
        """Return a sequence of texts."""
        count = self.length()
        if 4 * count > len(self._data):
            raise LinkError(f"a message of {len(self._data)} bytes cannot hold {count} texts")
        return [self.text() for _ in range(count)]

    def numbers(self, count: int | None = None) -> NDArray[np.float64]:
        """Return float64 numbers: an array of `count`, or a sequence if None."""
        count = self.length() if count is None else count
        start = self._advance(8, count) if count else self.offset
        return np.frombuffer(self._data, f"{self._order}f8", count, start)

    def _advance(self, size: int, count: int) -> int:
        """Return where `count` members of `size` bytes begin, and go behind them."""
        start = self.offset + (_HEADER - self.offset) % size
        if start + size * count > len(self._data):
            raise LinkError(
                f"a message of {len(self._data)} bytes ends before its {count} members of {size}"
                f" bytes at {start}"
            )
        self.offset = start + size * count
        return start


@final
class CdrTemplate:
    """A message whose texts and sizes stay, and whose numbers are changed where they stand."""

    def __init__(self) -> None:
        self.data = bytearray(ENCAPSULATION)

    def integers(self, *values: int) -> int:
        """Append integers of 32 bits; return where they stand."""
        start = self._align(4)
        for value in values:
            self.data += struct.pack("<i", value)
        return start

    def text(self, value: str) -> None:
        """Append a text."""
        encoded = value.encode() + b"\0"
        self.integers(len(encoded))
        self.data += encoded

    def texts(self, values: tuple[str, ...]) -> None:
        """Append a sequence of texts."""
        self.integers(len(values))
        for value in values:
            self.text(value)

    def numbers(self, count: int, *, fixed: bool = False) -> int:
        """Append float64 zeros, a sequence or a `fixed` array; return where they stand."""
        if not fixed:
            self.integers(count)
        if not count:
            return len(self.data)
        start = self._align(8)
        self.data += bytes(8 * count)
        return start

    def view(self, offset: int, kind: str, count: int) -> NDArray[Any]:
        """Return numbers of the finished message as an array to write to."""
        return np.frombuffer(self.data, kind, count, offset)

    def _align(self, size: int) -> int:
        self.data += bytes((_HEADER - len(self.data)) % size)
        return len(self.data)
