"""What a file holds before anything is known of its meaning: columns with ranges, or topics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim2real.calibration.logs.bags import is_bag, open_bag
from sim2real.calibration.logs.formats import unreadable
from sim2real.calibration.logs.tables import TABLES
from sim2real.errors import LogError


@dataclass(frozen=True, kw_only=True)
class Item:
    """A column, one number of a column that holds several, or a topic."""

    name: str
    index: int | str | None = None
    """As `index` of a recipe's signal."""
    type: str
    rows: int
    range: tuple[float, float] | None = None
    """Least and largest number that is finite."""


def contents(path: Path) -> tuple[Item, ...]:
    """Return what is in a file or rosbag2 folder, in its own units; raises LogError."""
    if not path.exists():
        raise LogError(f"{path}: no such file")
    if is_bag(path):
        topics = open_bag(path).topics()
        return tuple(Item(name=n, type=t.type, rows=t.count) for n, t in topics.items())
    if path.suffix not in TABLES:
        raise unreadable(path)
    table = TABLES[path.suffix](path)
    found: list[Item] = []
    for name, width in table.columns().items():
        rows, low, high = 0, np.full(width, np.inf), np.full(width, -np.inf)
        for block in table.blocks([name]):
            column = block[name]
            is_text = column.dtype.kind not in "iufb"
            values = np.full(column.shape, np.nan) if is_text else column.astype(float)
            values = values.reshape(len(column), width)
            usable = np.isfinite(values)
            low = np.minimum(low, np.where(usable, values, np.inf).min(axis=0, initial=np.inf))
            high = np.maximum(high, np.where(usable, values, -np.inf).max(axis=0, initial=-np.inf))
            rows += len(values)
        parts = table.parts(name) if width > 1 else ()
        for i in range(width):
            finite = low[i] <= high[i]
            found.append(
                Item(
                    name=name,
                    index=None if width == 1 else parts[i] if len(parts) == width else i,
                    type="number" if finite else "text",
                    rows=rows,
                    range=(float(low[i]), float(high[i])) if finite else None,
                )
            )
    return tuple(found)
