"""Clocks in another unit, and clocks that drift: the delay of answers changes over the log."""

from collections.abc import Iterator, Sequence

import numpy as np

from sim2real.calibration.plausibility.finding import Finding
from sim2real.calibration.plausibility.samples import Samples
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

_SLOWEST, _FASTEST = 2.0, 50_000.0
"""Rates of logs [Hz]."""
_SEARCH = 0.4
"""Delays that are tried, later and earlier [s]."""
_ALIKE = 0.8
_LEAST = 0.015
"""Change of the delay over the log that is worth an error [s]."""
_SURE = 6.0
"""It is also worth none below so many standard errors."""
_PIECES = 4
"""Of a log in fewer pieces, some 40 s, no drift is told: clocks are seldom worse than 100 ppm."""


def rates(log: Trajectory) -> Iterator[Finding]:
    """Yield a rate that no log of a robot's motion has."""
    if not _SLOWEST <= log.rate <= _FASTEST:
        yield Finding(
            kind="units",
            message=f"its rows come {log.rate:.4g} times a second, over {log.seconds[-1]:.4g} s in"
            f" all (known rates: {_SLOWEST:g} to {_FASTEST:g} Hz): is the unit of the time right?"
            ' unit = "s", "ms", "us" or "ns"',
        )


def drift(log: Trajectory, robot: Robot, samples: Sequence[Samples]) -> Iterator[Finding]:
    """Yield a drift between the clocks of commands and measurements, if they have two."""
    if log.command_time is None:
        return
    found = [_delays(log, robot, name, samples) for name in log.driven]
    told = [rows for rows in found if len(rows) >= _PIECES]
    if not told:
        return
    slope, error = _trend(told)
    seconds = float(log.seconds[-1])
    if abs(slope) * seconds > max(_LEAST, _SURE * error * seconds):
        yield Finding(
            kind="drift",
            message="the clocks of commands and measurements drift apart: the delay between them"
            f" changes by {slope * seconds * 1e3:+.0f} ms over {seconds:.0f} s"
            f' ({slope * 1e6:+.0f} ppm): stamp both by one clock (topics: clock = "received"), or'
            f" give command_time the scale {1 + slope:.6f}",
        )


def _delays(log: Trajectory, robot: Robot, name: str, samples: Sequence[Samples]) -> Array:
    """Return begin [s], delay [s] and slowness of the command in each piece that tells (m, 3)."""
    i, row = log.joints.index(name), log.driven.index(name)
    servo = robot.joints[name].mode == "position"
    found = []
    for piece in samples:
        answer = piece.position[:, i] if servo else piece.acceleration[:, i]
        delay = _delay(piece.command[:, row], answer, piece.step)
        if delay is not None:
            speed = float(np.diff(piece.command[:, row]).std()) / piece.step
            found.append((piece.begin, delay, 1.0 / max(speed, 1e-9)))
    return np.array(found).reshape(-1, 3)


def _trend(joints: Sequence[Array]) -> tuple[float, float]:
    """Return the common slope of the joints' delays over time, and its standard error.

    Each joint has its own delay, and a slow command takes longer to overcome friction: both are
    regressed out, so that a chirp is no drift. Points off by more than three spreads are left out.
    """
    rows = []
    for number, points in enumerate(joints):
        own = np.zeros((len(points), 2 * len(joints)))
        own[:, 2 * number] = 1.0
        own[:, 2 * number + 1] = points[:, 2] / points[:, 2].mean()
        rows.append(np.column_stack([points[:, 0], own]))
    x, y = np.concatenate(rows), np.concatenate([points[:, 1] for points in joints])
    kept, found, rest = np.ones(len(y), bool), np.zeros(x.shape[1]), y
    for _ in range(3):
        found, *_ = np.linalg.lstsq(x[kept], y[kept])
        rest = np.abs(y - x @ found)
        kept = rest <= max(3 * 1.4826 * float(np.median(rest)), 1e-9)
    free = max(1, int(kept.sum()) - x.shape[1])
    inverse = np.linalg.pinv(x[kept].T @ x[kept])
    return float(found[0]), float(np.sqrt(inverse[0, 0] * (rest[kept] ** 2).sum() / free))


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
