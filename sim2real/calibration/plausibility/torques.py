"""Contradictions between torques and motion: what the nominal model would have had to be given.

Torques of the log are explained by the torques that the motion takes according to the nominal
model, of gravity and of inertia, each allowed to be wrong by a factor of 2.5, and by friction. If
another reading of the log (degrees, a sign, two joints exchanged) explains them several times
better, the log is read wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import mujoco
import numpy as np

from sim2real.calibration.plausibility.finding import Finding, Kind
from sim2real.calibration.plausibility.samples import Samples
from sim2real.robot import Robot
from sim2real.sim.model import compile_model, joint_addresses
from sim2real.trajectory import Array

_ROWS = 1500
_FACTOR = 2.5
"""The nominal model may be wrong by so much."""
_KEPT = 0.8
"""Share of the rows that count: hands on the robot and collisions are no reason to doubt it."""
_WELL = 0.25
"""Share of the torque's square that a good reading leaves unexplained at most."""
_POOR = 0.02
"""A reading that leaves less than this is not doubted."""
_BETTER = 0.3
"""What another reading may leave of what the given one leaves, to be believed."""


@dataclass(frozen=True)
class Motion:
    """What the log says, maybe otherwise: rows (n, njoint) and (n, ncommand)."""

    position: Array
    velocity: Array
    acceleration: Array
    command: Array

    def scaled(self, factor: Array | float) -> "Motion":
        """Return the motion with positions and their derivatives times `factor` (njoint,)."""
        return Motion(
            self.position * factor, self.velocity * factor, self.acceleration * factor, self.command
        )

    def exchanged(self, measured: list[int], command: list[int]) -> "Motion":
        """Return the motion with its columns in another order."""
        return Motion(
            self.position[:, measured],
            self.velocity[:, measured],
            self.acceleration[:, measured],
            self.command[:, command],
        )


@dataclass(frozen=True)
class Reading:
    """Another reading of the log."""

    motion: Motion
    kind: Kind
    text: str
    """What to say if it explains the torques."""


def torques(robot: Robot, samples: Sequence[Samples]) -> Iterator[Finding]:
    """Yield the other reading of the log that explains its torques, if there is one."""
    if robot.base is not None or any(robot.joints[n].mode != "torque" for n in robot.driven):
        return
    motion = _motion(samples)
    explain = _Explanation(robot)
    given, size = explain(motion)
    if given <= _POOR * size:
        return
    readings = list(_readings(robot, motion))
    lefts = [explain(reading.motion)[0] for reading in readings]
    left, reading = min(lefts), readings[int(np.argmin(lefts))]
    if left < _BETTER * given and left < _WELL * size:
        yield Finding(
            kind=reading.kind,
            message=f"{reading.text}: read so, {1 - left / size:.0%} of the torques agree with the"
            f" motion, as given {max(0.0, 1 - given / size):.0%}",
        )


def _motion(samples: Sequence[Samples]) -> Motion:
    names = ("position", "slope", "acceleration", "command")
    rows = [np.concatenate([getattr(piece, name) for piece in samples]) for name in names]
    every = max(1, len(rows[0]) // _ROWS)
    return Motion(*(part[::every] for part in rows))


def _readings(robot: Robot, motion: Motion) -> Iterator[Reading]:
    joints, driven = list(robot.joints), list(robot.driven)
    text = 'the positions seem to be in degrees, read as radians: say so, unit = "deg"'
    yield Reading(motion.scaled(np.pi / 180), "units", text)
    for name in joints:
        signs = np.array([-1.0 if joint == name else 1.0 for joint in joints])
        both = " or of its command" if len(joints) == 1 else ""
        text = f"the sign of the position of {name!r}{both} seems wrong: give it scale = -1"
        yield Reading(motion.scaled(signs), "sign", text)
    for name in driven if len(joints) > 1 else ():
        signs = np.array([-1.0 if joint == name else 1.0 for joint in driven])
        text = f"the sign of the command of {name!r} seems wrong: give it scale = -1"
        yield Reading(replace(motion, command=motion.command * signs), "sign", text)
    for one, other in combinations(joints, 2):
        measured, straight = _exchange(joints, one, other), list(range(len(driven)))
        pair = f"of {one!r} and {other!r} seem swapped: exchange their columns"
        exchanged = motion.exchanged(measured, straight)
        yield Reading(exchanged, "swapped", f"the positions {pair}")
        if one in driven and other in driven:
            command, same = _exchange(driven, one, other), list(range(len(joints)))
            exchanged = motion.exchanged(same, command)
            yield Reading(exchanged, "swapped", f"the commands {pair}")
            exchanged = motion.exchanged(measured, command)
            yield Reading(exchanged, "swapped", f"all signals {pair}")


def _exchange(names: list[str], one: str, other: str) -> list[int]:
    order = list(range(len(names)))
    i, j = names.index(one), names.index(other)
    order[i], order[j] = j, i
    return order


class _Explanation:
    """Explains commanded torques by a motion, with the nominal model's inverse dynamics."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self._model = compile_model(robot)
        flags = mujoco.mjtDisableBit
        self._model.opt.disableflags |= flags.mjDSBL_CONSTRAINT | flags.mjDSBL_ACTUATION
        self._model.dof_damping[:] = 0.0  # friction is explained apart
        self._data = mujoco.MjData(self._model)
        self._qpos, self._qvel = joint_addresses(robot, self._model)

    def __call__(self, motion: Motion) -> tuple[float, float]:
        """Return what is left of the torques, and what there was, in squares of the limits."""
        still = np.zeros_like(motion.velocity)
        gravity = self._inverse(motion.position, still, still)
        inertia = self._inverse(motion.position, motion.velocity, motion.acceleration) - gravity
        left = size = 0.0
        joints = list(self._robot.joints)
        for row, name in enumerate(self._robot.driven):
            i, limits = joints.index(name), self._robot.joints[name].limits
            assert limits is not None  # a driven joint has them
            torque = motion.command[:, row] / limits.torque
            parts = np.stack([gravity[:, i], inertia[:, i], motion.velocity[:, i]], axis=1)
            left += _left(torque, parts / limits.torque)
            size += float((torque**2).mean())
        return left, size

    def _inverse(self, position: Array, velocity: Array, acceleration: Array) -> Array:
        data, torque = self._data, np.empty_like(position)
        for row in range(len(position)):
            data.qpos[self._qpos], data.qvel[self._qvel] = position[row], velocity[row]
            data.qacc[self._qvel] = acceleration[row]
            mujoco.mj_inverse(self._model, data)
            torque[row] = data.qfrc_inverse[self._qvel]
        return torque


def _left(torque: Array, parts: Array) -> float:
    """Return the mean square (of the best rows) that gravity, inertia and friction leave."""
    from scipy.optimize import lsq_linear

    velocity = parts[:, 2]
    coulomb = np.tanh(velocity / max(0.1 * float(velocity.std()), 1e-9))
    terms = np.column_stack([parts, coulomb, np.ones(len(torque))])
    low = [1 / _FACTOR, 1 / _FACTOR, 0.0, 0.0, -0.1]
    high = [_FACTOR, _FACTOR, np.inf, np.inf, 0.1]
    kept = np.ones(len(torque), bool)
    error = np.abs(torque)
    for _ in range(3):
        found = lsq_linear(terms[kept], torque[kept], bounds=(low, high))
        error = np.abs(torque - terms @ found.x)
        kept = error <= np.quantile(error, _KEPT)
    return float((error[kept] ** 2).mean())
