"""Contradictions between a log's own signals, and with the robot's limits. No model is needed."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from sim2real.calibration.plausibility.finding import Finding
from sim2real.calibration.plausibility.samples import Samples
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

_ALIKE, _UNLIKE = 0.9, 0.7
"""Correlations above which signals belong together, below which they do not."""
_LAG = 0.3
"""Longest delay of a response [s]."""
_DEGREE = 180.0 / np.pi
_ENOUGH = 100_000
"""Rows of a joint that are looked at."""
_ABSURD = 10.0
"""A torque that is mostly so many times the limit is in another unit."""
_BEYOND = 0.1
"""Share of a joint's range by which a zero may be off."""


def constants(log: Trajectory, robot: Robot) -> Iterator[Finding]:
    """Yield what never changes although it should."""
    still = np.ptp(log.position, axis=0) == 0
    if still.all():
        yield Finding(
            kind="constant",
            message=f"nothing moves: the positions of all {len(log.joints)} joints are constant"
            f" ({', '.join(f'{x:g}' for x in log.position[0])}): are they the right columns?",
        )
        return
    for i, name in enumerate(log.joints):
        if still[i] and name in log.driven:
            asked = float(np.ptp(log.command[:, log.driven.index(name)]))
            joint = robot.joints[name]
            enough = 0.05 if joint.mode == "position" else joint.limits.torque  # type: ignore[union-attr]
            if asked > enough:
                yield Finding(
                    kind="constant",
                    message=f"the position of {name!r} is constant ({log.position[0, i]:g}) while"
                    f" its command changes by {asked:.3g}: a dead encoder, or the wrong column",
                )
        if not still[i] and np.ptp(log.velocity[:, i]) == 0:
            yield Finding(
                kind="constant",
                message=f"the velocity of {name!r} is constant ({log.velocity[0, i]:g}) while it"
                " moves: leave it out of the recipe, then it is the slope of the position",
            )


def limits(log: Trajectory, robot: Robot) -> Iterator[Finding]:
    """Yield joints that were where the robot's cannot be, or faster than it can."""
    for i, name in enumerate(log.joints):
        limit = robot.joints[name].limits
        if limit is None:
            continue
        low, high = limit.position or (-np.inf, np.inf)
        room = _BEYOND * (high - low) if limit.position else 0.0
        every = max(1, len(log.time) // _ENOUGH)
        values = np.array(log.position[::every, i])
        outside = float(((values < low - room) | (values > high + room)).mean())
        speed = float(np.quantile(np.abs(log.velocity[::every, i]), 0.99))
        as_degrees = values / _DEGREE
        fits = bool((as_degrees > low - room).all() and (as_degrees < high + room).all())
        fast = 3 * limit.velocity < speed < 100 * limit.velocity
        reached = f"from {values.min():.4g} to {values.max():.4g}"
        if fits and (fast or (outside > 0.02 and np.abs(values).max() > 2 * np.pi)):
            allowed = f"{low:.4g} to {high:.4g}" if limit.position else "any"
            yield Finding(
                kind="units",
                message=f"the position of {name!r} goes {reached}, at up to {speed:.3g} a second;"
                f" the robot's limits are {allowed} rad and {limit.velocity:.3g} rad/s: are these"
                ' degrees? Say so: unit = "deg"',
            )
        elif outside > 0.02:
            yield Finding(
                kind="limits",
                message=f"the position of {name!r} goes {reached} and {outside:.0%} of it lies"
                f" outside the limits of robot {robot.name!r}, {low:.4g} to {high:.4g}: is it"
                " another robot's log, or another zero (offset = ...)?",
            )


def commands(log: Trajectory, robot: Robot) -> Iterator[Finding]:
    """Yield torques that are mostly far beyond what the drive can give."""
    for row, name in enumerate(log.driven):
        joint = robot.joints[name]
        if joint.mode != "torque" or joint.limits is None:
            continue
        every = max(1, len(log.command) // _ENOUGH)
        usual = float(np.median(np.abs(log.command[::every, row])))
        if usual > _ABSURD * joint.limits.torque:
            yield Finding(
                kind="units",
                message=f"the command of {name!r} is mostly beyond {usual:.4g} Nm; the robot's"
                f" limit is {joint.limits.torque:.3g} Nm: are these mNm, or counts of a register?"
                ' Say so: unit = "mNm", or scale = ...',
            )


def velocities(log: Trajectory, samples: Sequence[Samples]) -> Iterator[Finding]:
    """Yield velocities that are not the slope of their positions: swapped, inverted, in degrees."""
    slope = np.concatenate([piece.slope for piece in samples])
    velocity = np.concatenate([piece.velocity for piece in samples])
    alike = _correlation(velocity, slope)
    swapped = set()
    for i, j in combinations(range(len(log.joints)), 2):
        own, crossed = (alike[i, i], alike[j, j]), (alike[i, j], alike[j, i])
        if max(own) < _UNLIKE and min(crossed) > _ALIKE:
            swapped |= {i, j}
            yield _swapped(log.joints[i], log.joints[j], "velocities", crossed)
    for i, name in enumerate(log.joints):
        if i in swapped:
            continue
        if alike[i, i] < -_ALIKE:
            yield Finding(
                kind="sign",
                message=f"the velocity of {name!r} has the sign opposite to the slope of its"
                f" position (correlation {alike[i, i]:.2f}): give one of them scale = -1",
            )
        yield from _ratio(name, "velocity", "the slope of its position", velocity[:, i],
                          slope[:, i], alike[i, i])  # fmt: skip


def servos(log: Trajectory, robot: Robot, samples: Sequence[Samples]) -> Iterator[Finding]:
    """Yield positions that do not follow their commands: swapped, inverted, in degrees."""
    driven = [n for n in log.driven if robot.joints[n].mode == "position"]
    rows = [log.driven.index(name) for name in driven]
    columns = [log.joints.index(name) for name in driven]
    alike = _following([piece.command[:, rows] for piece in samples],
                       [piece.position[:, columns] for piece in samples], samples)  # fmt: skip
    command = np.concatenate([piece.command[:, rows] for piece in samples])
    position = np.concatenate([piece.position[:, columns] for piece in samples])
    swapped = set()
    for i, j in combinations(range(len(driven)), 2):
        own, crossed = (alike[i, i], alike[j, j]), (alike[i, j], alike[j, i])
        quiet = command.std(axis=0) < 1e-6
        crossed_enough = [crossed[k] > _ALIKE or quiet[m] for k, m in ((0, i), (1, j))]
        if max(own) < _UNLIKE and all(crossed_enough) and not (quiet[i] and quiet[j]):
            swapped |= {i, j}
            yield _swapped(driven[i], driven[j], "positions", crossed)
    for i, name in enumerate(driven):
        if i in swapped:
            continue
        if alike[i, i] < -_ALIKE:
            yield Finding(
                kind="sign",
                message=f"the position of {name!r} goes against its command (correlation"
                f" {alike[i, i]:.2f}): give one of them scale = -1",
            )
        yield from _ratio(name, "position", "its command", position[:, i], command[:, i],
                          alike[i, i])  # fmt: skip


def _swapped(one: str, other: str, what: str, crossed: tuple[float, float]) -> Finding:
    return Finding(
        kind="swapped",
        message=f"the {what} of {one!r} and {other!r} are swapped: each belongs to the other"
        f" (correlations {crossed[0]:.2f} and {crossed[1]:.2f}): exchange their columns",
    )


def _ratio(
    name: str, what: str, other: str, values: Array, reference: Array, alike: float
) -> Iterator[Finding]:
    ratio = float(values.std() / max(reference.std(), 1e-12))
    if abs(alike) > _ALIKE and not _DEGREE / 2.5 > ratio > 2.5 / _DEGREE:
        wrong = f"the {what}" if ratio > 1 else other
        yield Finding(
            kind="units",
            message=f"the {what} of {name!r} is {ratio:.3g} times {other}: is {wrong} in degrees"
            ' (a factor of 57.3)? Say so: unit = "deg" or "deg/s"',
        )


def _correlation(one: Array, other: Array) -> Array:
    """Return the correlations (k, m) of columns (n, k) with (n, m); 0 of what is constant."""
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    size = np.outer(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=0))
    return np.divide(a.T @ b, size, out=np.zeros(size.shape), where=size > 1e-9)


def _following(commands: list[Array], answers: list[Array], samples: Sequence[Samples]) -> Array:
    """Return the strongest correlations of answers with commands some moments earlier."""
    best = np.zeros((commands[0].shape[1], answers[0].shape[1]))
    for lag in range(0, round(_LAG / samples[0].step) + 1, max(1, round(0.02 / samples[0].step))):
        before = np.concatenate([rows[: len(rows) - lag] for rows in commands])
        alike = _correlation(before, np.concatenate([rows[lag:] for rows in answers]))
        best = np.where(np.abs(alike) > np.abs(best), alike, best)
    return best
