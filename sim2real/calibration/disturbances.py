"""Stretches of logs in which something pushed that is no part of the model: a hand, a collision.

What acted follows from the motion by inverse dynamics; what the model says that acted is taken
away. Friction and wrong parameters leave a little everywhere, a push a lot for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.inverse import inverse_dynamics, smoothed
from sim2real.calibration.problem import Problem
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

_SMOOTH = 0.06
"""Room at a log's ends, and twice the width over which torques are averaged [s]."""
_RATE = 250.0
"""At which residual torques are looked at [Hz]."""
_LEAST, _PAD, _JOIN = 0.05, 0.25, 0.3
"""Shortest push, what is left out to both sides of it, and the longest pause within one [s]."""
_TIMES = 5.0
"""A push is so many times what is usual in its log, for friction and model errors vary."""


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """A push: when, on which joint, how strong."""

    log: str
    """Its source."""
    joint: str
    begin: float
    """[s] from the log's first row."""
    end: float
    torque: float
    """Largest torque that the model does not explain [Nm, N]."""


def find_disturbances(
    problem: Problem, logs: Sequence[Trajectory], values: Array
) -> tuple[Disturbance, ...]:
    """Return the pushes in logs, for values of the unknowns (p,)."""
    spread = problem.assignment(logs).spread(values[None], np.arange(len(logs)))[0]
    return tuple(
        push
        for log, parameters in zip(logs, spread, strict=True)
        for push in _in_log(problem, log, parameters)
    )


def _in_log(problem: Problem, log: Trajectory, parameters: Array) -> list[Disturbance]:
    time = np.arange(_SMOOTH, log.seconds[-1] - _SMOOTH, 1.0 / _RATE)
    if len(time) < 4 * _SMOOTH * _RATE:
        return []
    torque = unexplained_torque(problem, log, parameters, time)
    found = []
    for i, joint in enumerate(log.joints):
        size = np.abs(torque[:, i])
        usual = float(np.median(size)) / 0.6745
        high = size > _TIMES * max(usual, 1e-9)
        for first, end in _stretches(high):
            peak = float(size[first:end].max())
            if time[end - 1] - time[first] >= _LEAST and peak > 1.5 * _TIMES * usual:
                begin, stop = max(0.0, time[first] - _PAD), time[end - 1] + _PAD
                found.append(
                    Disturbance(
                        log=log.source, joint=joint, begin=round(float(begin), 3),
                        end=round(float(stop), 3), torque=round(peak, 4))
                )  # fmt: skip
    return found


def unexplained_torque(problem: Problem, log: Trajectory, parameters: Array, time: Array) -> Array:
    """Return what acted on the joints beside the model's own torques (t, njoint) [Nm, N].

    Args:
        problem: the model.
        log: the motion and the commands.
        parameters: those that are written to the model (k,).
        time: when [s], evenly spaced.
    """
    torque = inverse_dynamics(problem, log, parameters, time)
    # dry friction is a constraint: inverse dynamics gives its soft version, which lags at reversals
    return smoothed(torque.needed - torque.given, 0.5 * _SMOOTH, 1.0 / _RATE)


def _stretches(high: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, end) of the stretches of `high`, those joined that a short pause parts."""
    rows = np.flatnonzero(high)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(rows) > _JOIN * _RATE)
    firsts = rows[np.concatenate([[0], breaks + 1])]
    lasts = rows[np.concatenate([breaks, [len(rows) - 1]])]
    return [(int(a), int(b) + 1) for a, b in zip(firsts, lasts, strict=True)]
