"""Logs cut into windows: a start state, the commands, and the positions to predict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Cut, Recipe
from sim2real.calibration.smoothing import State, local_state, resting_state
from sim2real.trajectory import Array, Trajectory

Stretches = Mapping[str, Sequence[tuple[float, float, str]]]
"""Source of a log → stretches that no window may enter: begin, end [s], and the reason."""

_STAMP_SLACK = 1e-6
"""A command stamped this much after a physics step still acts in it: stamps are rounded [s]."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The times at which a window is simulated and compared, from its start."""

    timestep: float
    """Of the physics [s]."""
    every: int
    """Physics steps between compared samples."""
    history: int
    """Physics steps of commands to know before the start: the longest delay."""
    hinge: NDArray[np.bool_]
    """Which joints turn, (njoint,)."""

    def samples(self, seconds: float) -> int:
        """Return how many samples fit into `seconds`."""
        return max(1, round(seconds / (self.timestep * self.every)))


@dataclass(frozen=True, kw_only=True)
class Windows:
    """`n` windows of equal length, of one or more logs."""

    position: Array
    """Estimated at the start (n, njoint) [rad]."""
    velocity: Array
    """Estimated at the start (n, njoint) [rad/s]."""
    covariance: Array
    """Of that estimate, positions before velocities, (n, 2 njoint, 2 njoint)."""
    command: Array
    """In each physics step (n, nstep, ncommand)."""
    before: Array
    """In the physics steps before the start, oldest first, (n, history, ncommand)."""
    enabled: NDArray[np.bool_] | None = None
    """Whether the drives are on in each physics step (n, nstep); None: throughout."""
    measured: Array
    """Positions of the compared joints at the samples (n, nsample, ncompared) [rad]."""
    compared: tuple[int, ...] | None = None
    """Which joints those are; None: all."""
    log: NDArray[np.int64]
    """Which log each window is from (n,)."""
    start: Array
    """Start in its log (n,) [s]."""
    noise: Array
    """Variance of the compared joints' position noise in each window's log (n, ncompared)."""
    dropped: dict[str, int]
    """Reason → number of windows left out for it."""

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: NDArray[Any]) -> "Windows":
        """Return some of the windows."""
        whole = ("dropped", "compared")
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in whole}
        taken = {name: None if array is None else array[rows] for name, array in arrays.items()}
        return replace(self, **taken)


def cut(
    logs: Sequence[Trajectory],
    recipe: Recipe,
    grid: Grid,
    seconds: float,
    left_out: Stretches | None = None,
) -> Windows:
    """Return the windows of `seconds` that the recipe allows, maybe none.

    Args:
        logs: what was recorded.
        recipe: how to cut, and what to leave out.
        grid: of the samples.
        seconds: length of each window.
        left_out: stretches that were found to be no part of what is to be explained.
    """
    dropped: Counter[str] = Counter()
    bad = left_out or {}
    parts = [
        _cut_log(i, log, recipe, grid, seconds, dropped, bad.get(log.source, ()))
        for i, log in enumerate(logs)
    ]
    njoint, ncommand = len(logs[0].joints), len(logs[0].driven)
    nsample = grid.samples(seconds)
    shapes = {
        "position": (njoint,),
        "velocity": (njoint,),
        "covariance": (2 * njoint, 2 * njoint),
        "command": (nsample * grid.every, ncommand),
        "before": (grid.history, ncommand),
        "enabled": (nsample * grid.every,),
        "measured": (nsample, njoint),
        "log": (),
        "start": (),
        "noise": (njoint,),
    }
    rows = [row for part in parts for row in part]
    arrays = {
        name: np.array([row[name] for row in rows]).reshape(len(rows), *shape)
        for name, shape in shapes.items()
    }
    arrays["log"] = arrays["log"].astype(np.int64)
    compared = None
    if recipe.compare:
        compared = tuple(logs[0].joints.index(joint) for joint in recipe.compare)
        arrays["measured"] = arrays["measured"][..., compared]
        arrays["noise"] = arrays["noise"][..., compared]
    on = arrays.pop("enabled").astype(bool)
    enabled = None if on.all() else on
    return Windows(
        **arrays, enabled=enabled, compared=compared, dropped=dict(sorted(dropped.items()))
    )  # type: ignore[arg-type]


def _cut_log(
    number: int,
    log: Trajectory,
    recipe: Recipe,
    grid: Grid,
    seconds: float,
    dropped: Counter[str],
    left_out: Sequence[tuple[float, float, str]],
) -> list[dict[str, Array | float]]:
    time, position = log.seconds, _unwrapped(log.position, grid.hinge)
    still = recipe.windows.min_motion
    if still > 0.0:
        still = max(still, 8.0 * float(white_noise(position).max()))
    rows, states = [], []
    for first in _starts(time, position, recipe.windows, seconds):
        end = int(np.searchsorted(time, time[first] + seconds - _STAMP_SLACK))
        part = slice(int(first), end + 1)  # to the row at the end or beyond, to see a gap there
        reason = _reason_to_drop(log, position, part, recipe, grid.hinge, left_out)
        if not reason and np.ptp(position[part], axis=0).max() < still:
            reason = "at rest"
        if reason:
            dropped[reason] += 1
            continue
        states.append(_state(time, position, first, recipe.windows))
        rows.append(_row(number, log, position, float(time[first]), seconds, grid))
    if states:
        noise = np.maximum(np.median([s.noise for s in states], axis=0), _quantization(position))
        for row, state in zip(rows, states, strict=True):
            row |= {"position": state.position, "velocity": state.velocity, "noise": noise}
            # where the motion is no polynomial, its own residual says how far to trust it
            row["covariance"] = np.kron(state.covariance, np.diag(np.maximum(noise, state.noise)))
    return rows


def _starts(time: Array, position: Array, cut: Cut, seconds: float) -> NDArray[np.int64]:
    """Return the rows at which windows start, with room to smooth before them."""
    if not cut.settled:
        wanted = np.arange(cut.smooth, time[-1] - seconds - cut.smooth, cut.stride)
        return np.unique(np.searchsorted(time, wanted))
    rows, after = [], 0.0
    for row in np.flatnonzero(_at_rest(time, position, cut.smooth)):
        if after <= time[row] <= time[-1] - seconds + _STAMP_SLACK:
            rows.append(row)
            after = time[row] + max(cut.stride, seconds)
    return np.array(rows, np.int64)


def _at_rest(time: Array, position: Array, smooth: float) -> NDArray[np.bool_]:
    """Return in which rows no joint has moved for `smooth` seconds, nor does in the next ones."""
    still = 2.0 * np.sqrt(12.0 * _quantization(position)) + 6.0 * white_noise(position)
    first = np.searchsorted(time, time - smooth)
    end = np.searchsorted(time, time + smooth, "right")
    span = [np.ptp(position[a:b], axis=0) for a, b in zip(first, end, strict=True)]
    return np.all(np.array(span) <= still, axis=1)


def _reason_to_drop(
    log: Trajectory,
    position: Array,
    part: slice,
    recipe: Recipe,
    hinge: NDArray[np.bool_],
    left_out: Sequence[tuple[float, float, str]],
) -> str:
    time = log.seconds
    steps = np.diff(time[part])
    if not len(steps) or steps.max() > max(10.0 / log.rate, 0.03):
        return "gap in the time stamps"
    begin, end = time[part.start] - recipe.windows.smooth, time[part.stop - 1]
    if any(low < end and begin < high for low, high in recipe.logs.excluded(log.source)):
        return "excluded by the recipe"
    for low, high, reason in left_out:
        if low < end and begin < high:
            return reason
    for joint, stretches in recipe.avoid.items():
        column = log.joints.index(joint)
        if _enters(position[part, column], stretches, bool(hinge[column])):
            return f"enters a stretch that {joint} avoids"
    return ""


def _enters(values: Array, stretches: Sequence[tuple[float, float]], hinge: bool) -> bool:
    for low, high in stretches:
        distance = np.mod(values - low, 2 * np.pi) if hinge else values - low
        if bool(((distance >= 0) & (distance <= high - low)).any()):
            return True
    return False


def _state(time: Array, position: Array, first: int, cut: Cut) -> State:
    near = [time[first] - cut.smooth, time[first] + cut.smooth]
    about = slice(*np.searchsorted(time, near, "right"))
    if cut.settled:
        return resting_state(position[about])
    enough = slice(min(about.start, max(0, first - 2)), max(about.stop, first + 3))
    return local_state(time[enough] - time[first], position[enough])


def _row(
    number: int, log: Trajectory, position: Array, start: float, seconds: float, grid: Grid
) -> dict[str, Array | float]:
    time, nsample = log.seconds, grid.samples(seconds)
    steps = np.arange(-grid.history, nsample * grid.every)
    acting = np.round((start + steps * grid.timestep + _STAMP_SLACK) * 1e9).astype(np.int64)
    command = log.commands_at(log.time[0] + acting)
    row = np.maximum(np.searchsorted(log.time, log.time[0] + acting, "right") - 1, 0)
    enabled = np.ones(len(row)) if log.enabled is None else log.enabled[row].astype(float)
    samples = start + np.arange(1, nsample + 1) * grid.every * grid.timestep
    measured = [np.interp(samples, time, position[:, i]) for i in range(position.shape[1])]
    return {
        "log": float(number),
        "start": start,
        "command": command[grid.history :],
        "before": command[: grid.history],
        "enabled": enabled[grid.history :],
        "measured": np.stack(measured, axis=1),
    }


def _unwrapped(position: Array, hinge: NDArray[np.bool_]) -> Array:
    return np.where(hinge, np.unwrap(position, axis=0), position)


def white_noise(position: Array) -> Array:
    """Return a robust standard deviation of the noise from third differences, (njoint,)."""
    size = np.median(np.abs(np.diff(position, 3, axis=0)), axis=0) if len(position) > 3 else 0.0
    return np.atleast_1d(size / (0.6745 * np.sqrt(20.0)))


def _quantization(position: Array) -> Array:
    """Return the variance of rounding to the encoder's step, q²/12, (njoint,)."""
    variances = []
    for column in position.T:
        gaps: Array = np.diff(np.unique(column)).astype(float)
        gaps = gaps[gaps > 1e-9]
        variances.append(float(np.quantile(gaps, 0.1)) ** 2 / 12 if gaps.size else 0.0)
    return np.maximum(variances, 1e-12)
