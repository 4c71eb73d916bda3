"""JSON: one list of records, and around it what is true of the whole run, as Rhoban's bam writes.

It is read as a whole: a format without an end of its rows is no format for long logs.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np

from sim2real.calibration.logs.table import Block, Table, numbers
from sim2real.errors import LogError


@final
class JsonTable(Table):
    """A JSON file with a list of records, at the top or in one key of an object."""

    def columns(self) -> dict[str, int]:
        """Return the keys of the first record that hold numbers, or lists of them."""
        records, _ = self._content
        widths = {}
        for name, value in records[0].items():
            if _is_number(value):
                widths[name] = 1
            elif isinstance(value, list) and value and all(map(_is_number, value)):
                widths[name] = len(value)
        return widths

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Yield all rows at once."""
        records, _ = self._content
        for i, record in enumerate(records):
            for name in names:
                if name not in record:
                    raise LogError(f"{self.path}: record {i} has no {name!r}")
        columns = {name: [record[name] for record in records] for name in names}
        yield {name: self._values(name, values) for name, values in columns.items()}

    def facts(self) -> Mapping[str, Any]:
        """Return what stands beside the records."""
        return self._content[1]

    def _values(self, name: str, values: list[Any]) -> np.ndarray[Any, Any]:
        if not isinstance(values[0], list):
            return numbers(values)
        try:
            return np.array(values, float)
        except (ValueError, TypeError, OverflowError):
            raise LogError(f"{self.path}: {name!r} holds lists of different lengths") from None

    @functools.cached_property
    def _content(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        try:
            content = json.loads(self.path.read_bytes())
        except OSError as error:
            raise LogError(f"{self.path}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise LogError(f"{self.path}: not a JSON file, or a damaged one: {error}") from None
        tables = content if isinstance(content, dict) else {"": content}
        lists = {name: value for name, value in tables.items() if _is_records(value)}
        if len(lists) != 1:
            raise LogError(
                f"{self.path}: {len(lists)} lists of records in it"
                f"{': ' + ', '.join(lists) if lists else ''}; a log has one, with a record a row"
            )
        name, records = lists.popitem()
        facts = {key: value for key, value in tables.items() if key != name}
        return records, facts


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
