"""Clocks that drift: the delay between a command and its answer changes over the log."""

from collections.abc import Iterator, Sequence

import numpy as np

from sim2real.calibration.plausibility.finding import Finding
from sim2real.calibration.plausibility.samples import Samples
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

_SEARCH = 0.4
"""Delays that are tried, later and earlier [s]."""
_ALIKE = 0.8
_LEAST = 0.015
"""Change of the delay over the log that is worth an error [s]."""
_SURE = 5.0
"""It is also worth none below so many standard errors."""
_PIECES = 4
"""Of a log in fewer pieces, some 40 s, no drift is told: clocks are seldom worse than 100 ppm."""


def drift(log: Trajectory, robot: Robot, samples: Sequence[Samples]) -> Iterator[Finding]:
    """Yield a drift between the clocks of commands and measurements, if they have two."""
    if log.command_time is None:
        return
    found = [row for name in log.driven for row in _delays(log, robot, name, samples)]
    if len({begin for begin, _ in found}) < _PIECES:
        return
    slope, spread = _line(np.array(found))
    change = slope * float(log.seconds[-1])
    if abs(change) > max(_LEAST, _SURE * spread * float(log.seconds[-1])):
        yield Finding(
            kind="drift",
            message=f"the clocks of commands and measurements drift apart: the delay between them"
            f" changes by {change * 1e3:+.0f} ms over {log.seconds[-1]:.0f} s"
            f' ({slope * 1e6:+.0f} ppm): stamp both by one clock (topics: clock = "received"), or'
            f" give command_time the scale {1 + slope:.6f}",
        )


def _delays(
    log: Trajectory, robot: Robot, name: str, samples: Sequence[Samples]
) -> Iterator[tuple[float, float]]:
    """Yield begin and delay [s] of the pieces that tell a joint's delay."""
    i, row = log.joints.index(name), log.driven.index(name)
    servo = robot.joints[name].mode == "position"
    found = []
    for piece in samples:
        answer = piece.position[:, i] if servo else piece.acceleration[:, i]
        delay = _delay(piece.command[:, row], answer, piece.step)
        if delay is not None:
            found.append((piece.begin, delay))
    usual = float(np.median([delay for _, delay in found])) if found else 0.0
    yield from ((begin, delay - usual) for begin, delay in found)  # joints differ by a constant


def _delay(command: Array, answer: Array, step: float) -> float | None:
    """Return by how much the answer is best shifted to look like the command [s]."""
    most = round(_SEARCH / step)
    inner = slice(most, len(command) - most)
    x = answer[inner] - answer[inner].mean()
    if len(x) < 4 * most or not x.any():
        return None
    alike = np.zeros(2 * most + 1)
    for k, lag in enumerate(range(-most, most + 1)):
        y = command[most - lag : len(command) - most - lag]
        y = y - y.mean()
        alike[k] = x @ y / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-12)
    best = int(alike.argmax())
    if alike[best] < _ALIKE or best in (0, 2 * most):
        return None
    left, top, right = alike[best - 1 : best + 2]
    bend = left - 2 * top + right
    return float((best - most + (0.5 * (left - right) / bend if bend else 0.0)) * step)


def _line(points: Array) -> tuple[float, float]:
    """Return the slope of a line through points (x, y) and its standard error.

    By the median of all pairs' slopes (Theil 1950, Sen 1968), which forgives pieces that misled.
    """
    x, y = points.T
    i, j = np.triu_indices(len(x), 1)
    apart = x[i] != x[j]
    slope = float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart]))
    rest = y - slope * x
    noise = 1.4826 * float(np.median(np.abs(rest - np.median(rest))))
    return slope, noise / (float(x.std()) * np.sqrt(len(x)))
