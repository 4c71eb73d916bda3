"""A floating base between the frame that MuJoCo speaks of, its origin's, and Bullet's, inertial."""

import mujoco
import numpy as np

from sim2real.rotation import rotate, rotate_back
from sim2real.sim.base import BaseState
from sim2real.sim.bullet.tree import Link
from sim2real.sim.simulator import Array

Pose = tuple[Array, Array, Array, Array]
"""Position (3,), quaternion w x y z (4,), velocity (3,), angular velocity (3,) in the world."""


def to_inertial(base: BaseState, sim: int, link: Link) -> Pose:
    """Return where the base's inertial frame is, and how fast."""
    assert link.centre is not None  # it carries the mass
    assert link.frame is not None
    turn = base.orientation[sim]
    centre = rotate(turn[None], link.centre[None])[0]
    angular = rotate(turn[None], base.angular_velocity[sim][None])[0]
    frame = np.empty(4)
    mujoco.mju_mulQuat(frame, turn, link.frame)
    arm: Array = np.cross(angular, centre)
    return base.position[sim] + centre, frame, base.linear_velocity[sim] + arm, angular


def from_inertial(pose: Pose, link: Link) -> BaseState:
    """Return the base (1, ...) whose inertial frame is there."""
    assert link.centre is not None  # it carries the mass
    assert link.frame is not None
    place, frame, linear, angular = pose
    turn, back = np.empty(4), np.empty(4)
    mujoco.mju_negQuat(back, link.frame)
    mujoco.mju_mulQuat(turn, frame, back)
    centre = rotate(turn[None], link.centre[None])[0]
    arm = np.cross(angular, centre)
    return BaseState(
        position=(place - centre)[None],
        orientation=turn[None],
        linear_velocity=np.subtract(linear, arm)[None],
        angular_velocity=rotate_back(turn[None], angular[None]),
    )
