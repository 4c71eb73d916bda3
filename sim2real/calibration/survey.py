"""What is in a log: rate, gaps, jitter, ranges, resolutions, and stretches that tell nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.spool import blocks
from sim2real.trajectory import Array, Stamps, Trajectory

Kind = Literal["gap", "saturated", "frozen", "off"]

_GAP = 3.0
"""A step of the stamps that is longer than so many usual ones is a gap."""
_LEAST = 0.05
"""Shortest stretch that is worth a word [s]."""
_AT_LIMIT = 0.999
_SAMPLE = 100_000
"""Rows that are enough for medians and quantiles."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a log that no fit should take at its word."""

    kind: Kind
    """`gap`: no rows; `saturated`: at a limit; `frozen`: a sensor repeats itself; `off`: drives."""
    joint: str
    """Empty if it is of all joints."""
    begin: float
    """[s] from the log's first row."""
    end: float


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How regular stamps are."""

    rows: int
    seconds: float
    rate: float
    """Median [Hz]."""
    jitter: float
    """What 99 of 100 steps differ at most from the median one [s]."""
    gaps: int
    longest: float
    """Longest step [s]."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One joint's signals, in SI units."""

    joint: str
    position: tuple[float, float]
    velocity: tuple[float, float]
    command: tuple[float, float] | None
    torque: tuple[float, float] | None
    resolution: float
    """Smallest usual step of the position: of the encoder, or of its noise."""
    saturated: float
    """Share of the rows."""
    frozen: float
    """Share of the rows."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What `sim2real log` tells."""

    source: str
    measurements: Clock
    commands: Clock | None
    """None if each command was sent right after the measurement in its row."""
    channels: tuple[Channel, ...]
    stretches: tuple[Stretch, ...]
    """In the order of time."""


def survey(log: Trajectory, robot: Robot | None = None) -> Survey:
    """Return what is in the log; `robot` tells the limits at which signals saturate."""
    found = [Stretch(kind="gap", joint="", begin=a, end=b) for a, b in _gaps(log.time)]
    if log.enabled is not None:
        found += _stretches("off", "", ~log.enabled, log.time)
    channels = []
    for i, joint in enumerate(log.joints):
        saturated, frozen = _saturated(log, i, robot), _frozen(log, i)
        found += _stretches("saturated", joint, saturated, log.time)
        found += _stretches("frozen", joint, frozen, log.time)
        driven = log.driven.index(joint) if joint in log.driven else None
        channels.append(
            Channel(
                joint=joint,
                position=_range(log.position[:, i]),
                velocity=_range(log.velocity[:, i]),
                command=None if driven is None else _range(log.command[:, driven]),
                torque=None if log.torque is None else _range(log.torque[:, i]),
                resolution=resolution(log.position[:, i]),
                saturated=float(saturated.mean()),
                frozen=float(frozen.mean()),
            )
        )
    return Survey(
        source=log.source,
        measurements=_clock(log.time),
        commands=None if log.command_time is None else _clock(log.command_time),
        channels=tuple(channels),
        stretches=tuple(sorted(found, key=lambda stretch: stretch.begin)),
    )


def resolution(values: Array) -> float:
    """Return the smallest usual step between rows; 0 if the values never change."""
    steps = _steps(values)
    steps = steps[steps > 1e-12]
    return float(np.quantile(steps, 0.02)) if steps.size else 0.0


def _steps(values: NDArray[Any]) -> NDArray[Any]:
    """Return how far rows are from the next, of a long log for a sample of them."""
    every = max(1, len(values) // _SAMPLE)
    return np.abs(values[1::every] - values[:-1:every])


def _clock(stamps: Stamps) -> Clock:
    steps = _steps(stamps) * 1e-9
    usual = float(np.median(steps)) if steps.size else np.inf
    gaps = list(_gaps(stamps))
    longest = max((end - begin for begin, end in gaps), default=float(steps.max(initial=0.0)))
    return Clock(
        rows=len(stamps),
        seconds=float(stamps[-1] - stamps[0]) * 1e-9,
        rate=1.0 / usual,
        jitter=float(np.quantile(np.abs(steps - usual), 0.99)) if steps.size else 0.0,
        gaps=len(gaps),
        longest=longest,
    )


def _gaps(stamps: Stamps) -> Iterator[tuple[float, float]]:
    usual = np.median(_steps(stamps)) if len(stamps) > 1 else np.inf
    for part in blocks(len(stamps) - 1):
        rows = stamps[part.start : part.stop + 1]
        for i in np.flatnonzero(np.diff(rows) > _GAP * usual):
            begin, end = rows[i : i + 2] - stamps[0]
            yield float(begin) * 1e-9, float(end) * 1e-9


def _range(values: Array) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _saturated(log: Trajectory, i: int, robot: Robot | None) -> NDArray[np.bool_]:
    """Return in which rows (t,) what drives the joint is at a limit: a servo's torque, too."""
    found = np.zeros(len(log.time), bool)
    name = log.joints[i]
    if robot is None or name not in log.driven:
        return found
    joint, row = robot.joints[name], log.driven.index(name)
    limits = joint.limits
    assert limits is not None  # a driven joint has them
    low, high = limits.position or (-np.inf, np.inf)
    for part in blocks(len(found)):
        command = log.commands_at(log.time[part])[:, row]
        if joint.mode == "torque":
            found[part] = np.abs(command) >= _AT_LIMIT * limits.torque
        else:
            torque = joint.kp * (command - log.position[part, i]) - joint.kd * log.velocity[part, i]
            found[part] = (np.abs(torque) >= limits.torque) | (command <= low) | (command >= high)
    return found


def _frozen(log: Trajectory, i: int) -> NDArray[np.bool_]:
    """Return in which rows (t,) the sensor repeats a position although the joint moves.

    Positions at rest repeat, too. A sensor that froze jumps at its end by more than it ever moves
    from row to row, or told a velocity all the while, of more than a few of the sensor's steps: at
    rest some tell one or two.
    """
    position, velocity = log.position[:, i], log.velocity[:, i]
    frozen, still = np.zeros(len(position), bool), np.zeros(len(position) - 1, bool)
    for part in blocks(len(still)):
        rows = position[part.start : part.stop + 1]
        still[part] = rows[1:] == rows[:-1]
    step, moves = resolution(position), _steps(position)
    if not step:
        return frozen
    usual = float(np.quantile(moves[moves > 0], 0.99))
    slow = 4.0 * resolution(velocity)
    for first, end in runs(still):
        length = float(log.time[end] - log.time[first]) * 1e-9
        if length < _LEAST or end - first < 4:
            continue
        jump = abs(position[end + 1] - position[end]) if end < len(still) else 0.0
        speeds = velocity[first + 1 : end]
        slowest = float(np.abs(speeds).min()) if np.ptp(np.sign(speeds)) == 0 else 0.0
        moved = slowest > slow and slowest * length > 20.0 * step
        if jump > 2.0 * usual + 4.0 * step or moved:
            frozen[first : end + 1] = True
    return frozen


def _stretches(
    kind: Kind, joint: str, rows: NDArray[np.bool_], stamps: Stamps
) -> Iterator[Stretch]:
    for first, end in runs(rows):
        begin, last = (float(stamps[row] - stamps[0]) * 1e-9 for row in (first, end - 1))
        if last - begin >= _LEAST:
            yield Stretch(kind=kind, joint=joint, begin=begin, end=last)


def runs(rows: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of each stretch in which `rows` (t,) holds, end excluded."""
    edges = (np.flatnonzero(rows[1:] != rows[:-1]) + 1).tolist()
    if len(rows) and rows[0]:
        edges.insert(0, 0)
    if len(edges) % 2:
        edges.append(len(rows))
    yield from zip(edges[::2], edges[1::2], strict=True)
