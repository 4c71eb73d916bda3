"""Where sites are for given joint positions: one array function for numpy, torch and the graph."""

import functools
from dataclasses import dataclass
from typing import Any, final

import mujoco
import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.model import joint_addresses

Array = NDArray[np.float64]

_IN_PLACE = np.zeros(3), np.eye(3)
_SHORT = 1e-4  # s, between two positions whose difference is a velocity


@dataclass(frozen=True)
class _Step:
    """One fixed offset and one joint behind it, seen from the step before."""

    position: Array
    """(3,)."""
    rotation: Array
    """(3, 3)."""
    joint: int = -1
    """Index among the robot's joints; -1 for none."""
    zero: float = 0.0
    """The joint position at which the joint does nothing."""
    slides: bool = False
    axis: Array | None = None
    """(3,)."""

    @functools.cached_property
    def turned(self) -> bool:
        """Whether the offset has a rotation at all."""
        return not np.array_equal(self.rotation, np.eye(3))


@final
class Kinematics:
    """Forward kinematics of one robot's tip and feet, on the nominal model.

    In the world's frame; of a robot with a floating base, in the frame of the base.
    """

    def __init__(self, robot: Robot, model: mujoco.MjModel):
        self._name = robot.name
        self._steps = None if robot.tip is None else _chain(robot, model, robot.tip)
        self._feet = [_chain(robot, model, foot) for foot in robot.feet]

    def tip(self, position: Any) -> tuple[Any, Any]:
        """Return the tip's position (n, 3) and rotation (n, 3, 3) for joints (n, njoint).

        Any array library's arrays. Raises RobotError if the robot has no tip.
        """
        if self._steps is None:
            raise RobotError(f"robot {self._name!r} has no tip: name a site in robot.toml")
        return _follow(self._steps, position)

    def feet(self, position: Any) -> Any:
        """Return the positions (n, nfoot, 3) of the feet for joints (n, njoint)."""
        xp = array_namespace(position)
        return xp.stack([_follow(steps, position)[0] for steps in self._feet], axis=1)

    def feet_motion(self, position: Array, velocity: Array) -> tuple[Array, Array]:
        """Return positions and velocities (n, nfoot, 3) of the feet, for joints (n, njoint)."""
        step = _SHORT * velocity
        # central differences, all three points in one pass
        here, ahead, back = np.split(
            self.feet(np.concatenate([position, position + step, position - step])), 3
        )
        return here, (ahead - back) / (2.0 * _SHORT)


def _follow(steps: list[_Step], position: Any) -> tuple[Any, Any]:
    """Return position (n, 3) and rotation (n, 3, 3) at the end of a chain."""
    xp = array_namespace(position)
    nothing = position[:, :1] * 0.0
    point = nothing + _like(xp, np.zeros(3), position)
    rotation = nothing[:, :, None] + _like(xp, np.eye(3), position)
    for step in steps:
        point = point + _apply(rotation, _like(xp, step.position, position))
        if step.turned:
            rotation = rotation @ _like(xp, step.rotation, position)
        if step.axis is not None:
            moved = position[:, step.joint : step.joint + 1] - step.zero
            axis = _like(xp, step.axis, position)
            if step.slides:
                point = point + moved * _apply(rotation, axis)
            else:
                rotation = rotation @ _turn(xp, step.axis, moved)
    return point, rotation


def _apply(rotation: Any, vector: Any) -> Any:
    """Return rotation (n, 3, 3) times vector (3,): (n, 3)."""
    return (rotation @ vector[:, None])[:, :, 0]


def _turn(xp: Any, axis: Array, angle: Any) -> Any:
    """Return rotations (n, 3, 3) by `angle` (n, 1) about `axis`, by Rodrigues' formula."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    first, second = (_like(xp, matrix, angle) for matrix in (cross, cross @ cross))
    angle = angle[:, :, None]
    return _like(xp, np.eye(3), angle) + xp.sin(angle) * first + (1.0 - xp.cos(angle)) * second


def _like(xp: Any, constant: Array, example: Any) -> Any:
    """Return a constant as an array of the example's library and type."""
    return xp.asarray(constant, dtype=example.dtype)


def _chain(robot: Robot, model: mujoco.MjModel, name: str) -> list[_Step]:
    """Return the steps from the world, or the floating base, to a site."""
    root = 0 if robot.base is None else model.body(robot.base.body).id
    joints = {model.joint(name).id: index for index, name in enumerate(robot.joints)}
    qpos = dict(zip(joints, joint_addresses(robot, model)[0], strict=True))
    site = model.site(name)
    bodies, body = [], int(model.site_bodyid[site.id])
    while body not in (0, root):
        bodies.append(body)
        body = int(model.body_parentid[body])
    steps: list[_Step] = []
    fixed = _IN_PLACE  # what is fixed between two joints is one offset
    for body in reversed(bodies):
        fixed = _then(fixed, model.body_pos[body], _matrix(model.body_quat[body]))
        first = int(model.body_jntadr[body])
        for joint in range(first, first + int(model.body_jntnum[body])):
            if joint not in joints:
                raise RobotError(
                    f"robot {robot.name!r}: the joint {model.joint(joint).name!r} moves the site"
                    f" {name!r}: list it in robot.toml, as passive if it is not driven"
                )
            anchor = model.jnt_pos[joint]
            slides = int(model.jnt_type[joint]) == mujoco.mjtJoint.mjJNT_SLIDE.value
            zero = float(model.qpos0[qpos[joint]])
            axis = model.jnt_axis[joint]
            fixed = _then(fixed, anchor, np.eye(3))
            steps.append(_Step(*fixed, joints[joint], zero, slides, axis))
            fixed = _then(_IN_PLACE, -anchor, np.eye(3))
    steps.append(_Step(*_then(fixed, site.pos, _matrix(site.quat))))
    return steps


def _then(fixed: tuple[Array, Array], position: Array, rotation: Array) -> tuple[Array, Array]:
    """Return the offset (position, rotation) that is `fixed` and then another."""
    return fixed[0] + fixed[1] @ position, fixed[1] @ rotation


def _matrix(quaternion: Array) -> Array:
    flat = np.zeros(9)
    mujoco.mju_quat2Mat(flat, quaternion)
    return flat.reshape(3, 3)
