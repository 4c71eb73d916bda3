"""Δr of a log over states, commands and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from sim2real.calibration.windows import Windows
from sim2real.gap.regime import Regimes

Array = NDArray[np.float64]

_BINS = 8
_FEWEST = 3
"""Windows in a cell that is shown."""
_NEIGHBOURS = 25
_RANGES = 5
_WORST = 0.9
"""A stretch is among the least believable above this quantile of all."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Mean Δr of the log over two coordinates; a cell with fewer than three windows is empty."""

    x: str
    y: str
    x_unit: str
    y_unit: str
    x_edges: tuple[float, ...]
    y_edges: tuple[float, ...]
    nats: tuple[tuple[float, ...], ...]
    """(len(y_edges) − 1, len(x_edges) − 1); NaN where nothing was recorded."""
    explained: float
    """Share of the variance of Δr that the cells explain."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """How clearly a log contradicts the simulation, as time goes."""

    log: str
    seconds: tuple[float, ...]
    """From the log's first row, in the middle of each window."""
    nats: tuple[float, ...]
    """Mean Δr of the windows about it."""


@dataclass(frozen=True, kw_only=True)
class Believability:
    """A stretch of a log."""

    log: str
    begin: float
    """[s] from the log's first row."""
    end: float
    nats: float
    """Mean Δr: how clearly it contradicts the simulation."""


def smooth_gap(features: Array, value: Array) -> Array:
    """Return the mean of `value` (n,) over the neighbours of each window's `features` (n, d)."""
    scale = np.maximum(features.std(axis=0), 1e-9)
    tree = KDTree(features / scale)
    _, near = tree.query(features / scale, k=min(_NEIGHBOURS, len(value)))
    return value[near].mean(axis=1)


def telling_plane(regimes: Regimes, value: Array) -> Plane:
    """Return the plane of the two coordinates whose cells explain `value` (n,) best."""
    edges = [np.linspace(*_range(column), _BINS + 1) for column in regimes.values.T]
    cells = [
        np.clip(np.searchsorted(edge, column, "right") - 1, 0, _BINS - 1)
        for edge, column in zip(edges, regimes.values.T, strict=True)
    ]
    pairs = list(combinations(range(len(cells)), 2))
    shares = [_explained(cells[j] * _BINS + cells[i], value) for i, j in pairs]
    best = int(np.argmax(shares))
    i, j = pairs[best]
    cell = cells[j] * _BINS + cells[i]
    count = np.bincount(cell, minlength=_BINS**2)
    total = np.bincount(cell, value, minlength=_BINS**2)
    mean = np.where(count >= _FEWEST, total / np.maximum(count, 1), np.nan)
    x, y = regimes.coordinates[i], regimes.coordinates[j]
    return Plane(
        x=x.name,
        y=y.name,
        x_unit=x.unit,
        y_unit=y.unit,
        x_edges=tuple(edges[i].tolist()),
        y_edges=tuple(edges[j].tolist()),
        nats=tuple(map(tuple, mean.reshape(_BINS, _BINS).tolist())),
        explained=max(0.0, shares[best]),
    )


def timelines(
    windows: Windows, value: Array, seconds: float, names: list[str]
) -> tuple[Timeline, ...]:
    """Return Δr (n,) along each log, averaged over what two windows of `seconds` span."""
    found = []
    for number in np.unique(windows.log):
        rows = np.flatnonzero(windows.log == number)
        start = windows.start[rows]
        near = np.abs(start[:, None] - start) <= seconds
        smooth = near @ value[rows] / near.sum(axis=1)
        middle = start + seconds / 2
        found.append(
            Timeline(
                log=Path(names[int(number)]).name,
                seconds=tuple(np.round(middle, 4).tolist()),
                nats=tuple(np.round(smooth, 4).tolist()),
            )
        )
    return tuple(found)


def least_believable(lines: Sequence[Timeline], seconds: float) -> tuple[Believability, ...]:
    """Return the stretches of the logs with the largest Δr, the worst first."""
    everything = np.concatenate([line.nats for line in lines])
    least = max(0.0, float(np.quantile(everything, _WORST)))
    found = []
    for line in lines:
        middle, nats = np.array(line.seconds), np.array(line.nats)
        rows = np.flatnonzero(nats > least)
        for part in np.split(rows, np.flatnonzero(np.diff(middle[rows]) > 2.0 * seconds) + 1):
            if len(part):
                begin, end = middle[part[0]] - seconds / 2, middle[part[-1]] + seconds / 2
                found.append(
                    Believability(
                        log=line.log,
                        begin=round(float(begin), 3),
                        end=round(float(end), 3),
                        nats=float(nats[part].mean()),
                    )
                )
    return tuple(sorted(found, key=lambda item: -item.nats)[:_RANGES])


def _explained(cell: NDArray[np.int64], value: Array) -> float:
    """Return the share of variance that the mean of the others in a window's cell explains."""
    count, total = np.bincount(cell)[cell], np.bincount(cell, value)[cell]
    alone = count < _FEWEST
    expected = np.where(alone, value.mean(), (total - value) / np.maximum(count - 1, 1))
    variance = float(value.var())
    return 1.0 - float(np.square(value - expected).mean()) / variance if variance > 0 else 0.0


def _range(column: Array) -> tuple[float, float]:
    low, high = np.quantile(column, [0.005, 0.995])
    return float(low), float(max(high, low + 1e-9))
