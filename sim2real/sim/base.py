"""The floating base of a robot: a body that nothing holds, with a free joint."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError, known
from sim2real.robot import Robot

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BaseState:
    """The base of n robots; arrays (n, ...)."""

    position: Array
    """Of its origin in the world (n, 3) [m]; NaN where nobody knows it, as on a real robot."""
    orientation: Array
    """Unit quaternion w x y z (n, 4), world ← base."""
    linear_velocity: Array
    """Of its origin, in the world's frame (n, 3) [m/s]; NaN where nobody knows it."""
    angular_velocity: Array
    """In the base's own frame (n, 3) [rad/s]."""

    @classmethod
    def at_home(cls, robot: Robot, n: int) -> "BaseState":
        """Return bases that stand level at their home's height, at rest."""
        height = 0.0 if robot.base is None else robot.base.height
        return cls(
            position=np.tile([0.0, 0.0, height], (n, 1)),
            orientation=np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
            linear_velocity=np.zeros((n, 3)),
            angular_velocity=np.zeros((n, 3)),
        )


def base_addresses(robot: Robot, model: mujoco.MjModel) -> tuple[int, int] | None:
    """Return where the base's free joint begins in qpos and in qvel; None without a base.

    Raises:
        RobotError: the model has no such body, or the body has no free joint.
    """
    if robot.base is None:
        return None
    names = [model.body(i).name for i in range(model.nbody)]
    if robot.base.body not in names:
        raise RobotError(
            f"robot {robot.name!r}: base: its model has no body {robot.base.body!r}"
            f"{known(robot.base.body, names[1:])}"
        )
    joint = int(model.body_jntadr[model.body(robot.base.body).id])
    if joint < 0 or model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_FREE:
        raise RobotError(
            f"robot {robot.name!r}: base: nothing moves freely with the body {robot.base.body!r}:"
            " give it a <freejoint/>, or leave [base] out of robot.toml"
        )
    return int(model.jnt_qposadr[joint]), int(model.jnt_dofadr[joint])
