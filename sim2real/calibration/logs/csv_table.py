"""CSV: one header line, numbers below it; a cell may hold a list of them, "[0.1, 0.2]"."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.logs.table import Block, Table, numbers
from sim2real.errors import LogError
from sim2real.spool import BLOCK


@final
class CsvTable(Table):
    """A CSV file. If it broke off in its last row, it ends before that."""

    def columns(self) -> dict[str, int]:
        """Return the header's names."""
        with self._open() as file:
            header, first = self._header(file), next(csv.reader(file), [])
        return {
            name: len(_list(cell)) if cell.lstrip().startswith("[") else 1
            for name, cell in zip(header, [*first, *[""] * len(header)], strict=False)
        }

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield the columns; a cell that holds no number is NaN."""
        with self._open() as file:
            header = self._header(file)
            for name in names:
                if header.count(name) > 1:
                    raise LogError(f"{self.path}: {header.count(name)} columns are named {name!r}")
            places = {name: header.index(name) for name in names}
            done = 0
            for rows in self._rows(file, len(header)):
                cells = list(zip(*rows, strict=True))
                yield {n: self._column(cells[i], n, done) for n, i in places.items()}
                done += len(rows)

    @contextmanager
    def _open(self) -> Iterator[IO[str]]:
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                yield file
        except OSError as error:
            raise LogError(f"{self.path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise LogError(f"{self.path}: not a CSV file: not text at byte {error.start}") from None
        except csv.Error as error:
            raise LogError(f"{self.path}: not a CSV file: {error}") from None

    def _header(self, file: IO[str]) -> list[str]:
        header = [name.strip() for name in next(csv.reader(file), [])]
        if not header:
            raise LogError(f"{self.path}: the file has nothing in it")
        other = next((mark for mark in (";", "\t") if mark in header[0]), "")
        if len(header) == 1 and other:
            raise LogError(
                f"{self.path}: its columns are parted by {other!r}: write them with commas between"
                " and points in numbers"
            )
        return header

    def _rows(self, file: IO[str], width: int) -> Iterator[list[list[str]]]:
        """Yield blocks of rows that are as long as the header."""
        reader, done = csv.reader(file), 0
        while rows := [row for row in islice(reader, BLOCK) if row]:
            short = next((i for i, row in enumerate(rows) if len(row) != width), None)
            if short is not None:
                if not self._broke_off(rows, short, next(reader, None), width):
                    raise LogError(
                        f"{self.path}: row {done + short} has {len(rows[short])} values, the header"
                        f" names {width}"
                    )
                rows.pop()
            if rows:
                yield rows
            done += len(rows)

    def _broke_off(
        self, rows: list[list[str]], short: int, following: list[str] | None, width: int
    ) -> bool:
        """Return whether the short row is the file's last, and its line has no end."""
        if following is not None or short < len(rows) - 1 or len(rows[short]) > width:
            return False
        with self.path.open("rb") as file:
            file.seek(-1, 2)
            return file.read(1) not in (b"\n", b"\r")

    def _column(self, cells: Sequence[str], name: str, done: int) -> NDArray[Any]:
        if not cells[0].lstrip().startswith("["):
            return numbers(cells)
        rows = [_list(cell) for cell in cells]
        for i, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise LogError(
                    f"{self.path}: {name!r} in row {done + i} is {cells[i][:40]!r}, no list of"
                    f" {len(rows[0])} numbers as in the rows before"
                )
        return np.array(rows, float).reshape(len(rows), -1)


def _list(cell: str) -> list[float]:
    """Return the numbers of a list in a cell; an empty one if it is none."""
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError):
        return []
    plain = isinstance(values, list) and all(isinstance(v, int | float) for v in values)
    try:
        return [float(v) for v in values] if plain else []
    except OverflowError:
        return []
