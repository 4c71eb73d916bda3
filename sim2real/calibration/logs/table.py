"""What files of columns have in common: names, and rows that come in blocks."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import LogError, known

Block = Mapping[str, NDArray[Any]]
"""Column → its next rows (n,), or (n, k) where a row holds k numbers."""


class Table(ABC):
    """A file of columns. It is read in blocks of rows, so that its length does not matter."""

    def __init__(self, path: Path):
        self.path = path

    @abstractmethod
    def columns(self) -> dict[str, int]:
        """Return each column's name and how many numbers a row holds; raises LogError."""

    @abstractmethod
    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the columns `names`, which exist, from the first row to the last.

        Raises:
            LogError: the file is damaged, or these columns have not the same number of rows.
        """

    def parts(self, column: str) -> Sequence[str]:
        """Return the names of a row's numbers in a column, as far as the file tells them."""
        del column
        return ()

    def facts(self) -> Mapping[str, Any]:
        """Return what the file says of the whole run."""
        return {}

    def read(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield as `blocks` does; raises LogError naming the near ones of a missing column."""
        present = self.columns()
        for name in names:
            if name not in present:
                raise LogError(f"{self.path}: no column {name!r}{known(name, present)}")
        yield from self.blocks(list(dict.fromkeys(names)))


def same_length(path: Path, lengths: Mapping[str, int]) -> int:
    """Return the number of rows that all columns have; raises LogError."""
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {rows}" for name, rows in lengths.items())
        raise LogError(
            f"{path}: columns of different lengths: {told} rows: if the commands have rows of their"
            " own, give columns.command_time"
        )
    return next(iter(lengths.values()), 0)


def numbers(values: Sequence[Any]) -> NDArray[Any]:
    """Return texts as numbers, NaN for what is none.

    Numbers so large that float64 would round away nanoseconds of seconds since 1970, or units of
    nanoseconds since 1970, become long doubles.
    """
    try:
        parsed = np.array(values, float)
        long = parsed.size > 0 and abs(parsed[0]) > 1e7
        return np.array(values, np.longdouble) if long else parsed
    except (ValueError, TypeError, OverflowError):
        return np.array([_number(text) for text in values])


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        return np.nan
