"""Where sites are for given joint positions: one array function for numpy, torch and the graph."""

from typing import Any, final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.arrays import namespace
from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.chain import Step, chain, cross_matrix
from sim2real.sim.legs import Legs

Array = NDArray[np.float64]


@final
class Kinematics:
    """Forward kinematics of one robot's tip and feet, on the nominal model.

    In the world's frame; of a robot with a floating base, in the frame of the base.
    """

    def __init__(self, robot: Robot, model: mujoco.MjModel):
        self._name = robot.name
        self._steps = None if robot.tip is None else chain(robot, model, robot.tip)
        self._feet = Legs([chain(robot, model, foot) for foot in robot.feet])

    def tip(self, position: Any) -> tuple[Any, Any]:
        """Return the tip's position (n, 3) and rotation (n, 3, 3) for joints (n, njoint).

        Any array library's arrays. Raises RobotError if the robot has no tip.
        """
        if self._steps is None:
            raise RobotError(f"robot {self._name!r} has no tip: name a site in robot.toml")
        return _follow(self._steps, position)

    def feet(self, position: Array) -> Array:
        """Return the positions (n, nfoot, 3) of the feet for joints (n, njoint)."""
        return self._feet.motion(position, np.zeros_like(position))[0]

    def feet_motion(self, position: Array, velocity: Array) -> tuple[Array, Array]:
        """Return positions and velocities (n, nfoot, 3) of the feet, for joints (n, njoint)."""
        return self._feet.motion(position, velocity)


def _follow(steps: list[Step], position: Any) -> tuple[Any, Any]:
    """Return position (n, 3) and rotation (n, 3, 3) at the end of a chain."""
    xp = namespace(position)
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
    cross = cross_matrix(axis)
    first, second = (_like(xp, matrix, angle) for matrix in (cross, cross @ cross))
    angle = angle[:, :, None]
    return _like(xp, np.eye(3), angle) + xp.sin(angle) * first + (1.0 - xp.cos(angle)) * second


def _like(xp: Any, constant: Array, example: Any) -> Any:
    """Return a constant as an array of the example's library and type."""
    return xp.asarray(constant, dtype=example.dtype)
