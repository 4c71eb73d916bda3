"""What a robot does when nobody tells it what to do."""

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot

Array = NDArray[np.float64]


def damp_command(robot: Robot, position: Array, velocity: Array) -> Array:
    """Return the command (ncommand,) that takes energy out of the robot.

    A joint in torque mode is braked with `kd` within its torque limit; a joint in position mode is
    told to be where it is, so that only its servo's own damping acts.

    Args:
        robot: the robot.
        position: measured positions (njoint,) [rad], finite.
        velocity: measured velocities (njoint,) [rad/s], finite.
    """
    command = []
    for q, dq, joint in zip(position, velocity, robot.joints.values(), strict=True):
        if joint.mode == "torque":
            assert joint.limits is not None  # checked by Joint
            limit = joint.limits.torque
            command.append(min(max(-joint.kd * dq, -limit), limit))
        elif joint.mode == "position":
            command.append(q)
    return np.array(command)
