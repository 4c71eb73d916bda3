"""What lies between a robot's root and one of its sites: offsets and joints, in order."""

import functools
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.model import joint_addresses

Array = NDArray[np.float64]

IN_PLACE = np.zeros(3), np.eye(3)


@dataclass(frozen=True)
class Step:
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


def chain(robot: Robot, model: mujoco.MjModel, name: str) -> list[Step]:
    """Return the steps from the world, or the floating base, to a site."""
    root = 0 if robot.base is None else model.body(robot.base.body).id
    joints = {model.joint(name).id: index for index, name in enumerate(robot.joints)}
    qpos = dict(zip(joints, joint_addresses(robot, model)[0], strict=True))
    site = model.site(name)
    bodies, body = [], int(model.site_bodyid[site.id])
    while body not in (0, root):
        bodies.append(body)
        body = int(model.body_parentid[body])
    steps: list[Step] = []
    fixed = IN_PLACE  # what is fixed between two joints is one offset
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
            steps.append(Step(*fixed, joints[joint], zero, slides, axis))
            fixed = _then(IN_PLACE, -anchor, np.eye(3))
    steps.append(Step(*_then(fixed, site.pos, _matrix(site.quat))))
    return steps


def cross_matrix(axis: Array) -> Array:
    """Return the matrix (3, 3) that maps a vector to axis × vector."""
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _then(fixed: tuple[Array, Array], position: Array, rotation: Array) -> tuple[Array, Array]:
    """Return the offset (position, rotation) that is `fixed` and then another."""
    return fixed[0] + fixed[1] @ position, fixed[1] @ rotation


def _matrix(quaternion: Array) -> Array:
    flat = np.zeros(9)
    mujoco.mju_quat2Mat(flat, quaternion)
    return flat.reshape(3, 3)
