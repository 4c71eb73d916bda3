"""How late commands act: a first guess by cross-correlation.

What a motion took of its drives follows by inverse dynamics; less what they would have given for a
command of 0, it is the command as it arrived. So a servo's own dynamics are no delay.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.inverse import inverse_dynamics, smoothed
from sim2real.calibration.problem import Problem
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

_STEP = 0.002
_LONGEST = 0.15
"""Lags that are looked at [s]."""
_SMOOTH = 0.06
"""Averages both signals: inverse dynamics is noisy, and as smooth as its accelerations [s]."""
_MARGIN = 0.1


def lags(problem: Problem, logs: Sequence[Trajectory], values: Array) -> dict[str, float]:
    """Return by how much each drive's torque lags behind its command [s].

    Args:
        problem: the robot; its recipe says how commands are meant.
        logs: what was recorded.
        values: of the unknowns (p,); their delays are not looked at.
    """
    shortest = values.copy()
    for i, name in enumerate(problem.names):
        if name.endswith(".delay"):
            shortest[i] = problem.coordinates.lower[i]
    spread = problem.assignment(logs).spread(shortest[None], np.arange(len(logs)))[0]
    most = round(_LONGEST / _STEP)
    score = np.zeros((len(problem.robot.driven), most + 2))
    for log, parameters in zip(logs, spread, strict=True):
        time = np.arange(_MARGIN, log.seconds[-1] - _MARGIN, _STEP)
        if len(time) < 4 * most:
            continue
        torques = inverse_dynamics(problem, log, parameters, time)
        arrived = smoothed(torques.needed - torques.idle, _SMOOTH, _STEP)
        told = smoothed(torques.given - torques.idle, _SMOOTH, _STEP)
        told = smoothed(told, _SMOOTH, _STEP)  # the accelerations' polynomial smooths, too
        for i, joint in enumerate(problem.robot.driven):
            j = log.joints.index(joint)
            for lag in range(-1, most + 1):
                score[i, lag + 1] += len(time) * _correlation(told[:, j], arrived[:, j], lag)
    return {joint: _peak(score[i]) * _STEP for i, joint in enumerate(problem.robot.driven)}


def with_lags(problem: Problem, values: Array, found: dict[str, float]) -> Array:
    """Return the values (p,) with the delays of actuators set to their lags."""
    started = values.copy()
    for i, name in enumerate(problem.names):
        for joint, lag in found.items():
            if name == f"actuator.{joint}.delay":
                low, high = problem.coordinates.lower[i], problem.coordinates.upper[i]
                started[i] = np.clip(lag, low, high)
    return started


def _peak(score: Array) -> float:
    """Return where a score over lags -1, 0, 1, ... is highest, refined by a parabola; 0 if flat."""
    if not np.any(score):
        return 0.0
    peak = 1 + int(np.argmax(score[1:-1]))
    left, middle, right = score[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return max(0.0, peak - 1 + float(np.clip(shift, -0.5, 0.5)))


def _correlation(told: Array, arrived: Array, lag: int) -> float:
    late = arrived[max(0, lag) : len(arrived) + min(0, lag)]
    early = told[max(0, -lag) : len(told) - max(0, lag)]
    late, early = late - late.mean(), early - early.mean()
    size = np.sqrt((late**2).sum() * (early**2).sum())
    return float((late * early).sum() / max(float(size), 1e-300))
