"""A log on an even grid, smoothed, with derivatives: some pieces of it, if it is long."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim2real.calibration.survey import runs
from sim2real.spool import blocks
from sim2real.trajectory import Array, Trajectory

_SECONDS = 10.0
_MOST = 12
"""Pieces of a log that are looked at, evenly chosen: enough to tell, whatever its length."""
_FASTEST = 0.005
_SMOOTH = 0.2
"""Width of the local cubic [s]."""
_GAP = 10.0


@dataclass(frozen=True)
class Samples:
    """One piece without gaps, in `n` samples."""

    begin: float
    """[s] from the log's first row."""
    step: float
    """[s]"""
    position: Array
    """(n, njoint), smoothed as all that follows."""
    slope: Array
    """Its first derivative."""
    acceleration: Array
    """Its second."""
    velocity: Array
    """What the log gives as such."""
    command: Array
    """(n, ncommand)"""


def pieces(log: Trajectory) -> list[Samples]:
    """Return up to a dozen pieces of at most 10 s, with drives on and no rows missing."""
    found = list(_spans(log))
    if len(found) > _MOST:
        found = [found[i] for i in np.linspace(0, len(found) - 1, _MOST).round().astype(int)]
    sampled = (_sample(log, first, end) for first, end in found)
    return [piece for piece in sampled if piece is not None]


def _spans(log: Trajectory) -> Iterator[tuple[int, int]]:
    whole, longest = np.zeros(len(log.time), bool), _GAP * 1e9 / log.rate
    for part in blocks(len(log.time) - 1):
        whole[part] = np.diff(log.time[part.start : part.stop + 1]) <= longest
    if log.enabled is not None:
        whole &= log.enabled
    for first, end in runs(whole):
        begin, last = log.time[first], log.time[end]
        count = max(1, round(float(last - begin) / (_SECONDS * 1e9)))
        edges = np.searchsorted(log.time, np.linspace(begin, last, count + 1))
        edges[-1] = end + 1
        yield from zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _sample(log: Trajectory, first: int, end: int) -> Samples | None:
    from scipy.signal import savgol_filter

    part = slice(first, end)
    time = (log.time[part] - log.time[first]) * 1e-9
    step = max(_FASTEST, 1.0 / log.rate)
    width = max(5, round(_SMOOTH / step) | 1)
    grid = np.arange(0.0, time[-1] + step / 2, step)
    if len(grid) < 3 * width:
        return None

    def smooth(rows: Array, order: int = 0) -> Array:
        return np.asarray(savgol_filter(rows, width, 3, deriv=order, delta=step, axis=0), float)

    def even(rows: Array) -> Array:
        return np.stack([np.interp(grid, time, column) for column in rows[part].T], axis=1)

    position = even(log.position)
    # a microsecond late: a command and a sample at the same time belong together
    stamps = log.time[first] + np.round(grid * 1e9).astype(np.int64) + 1000
    return Samples(
        begin=float(log.time[first] - log.time[0]) * 1e-9,
        step=step,
        position=smooth(position),
        slope=smooth(position, 1),
        acceleration=smooth(position, 2),
        velocity=smooth(even(log.velocity)),
        command=smooth(log.commands_at(stamps)),
    )
