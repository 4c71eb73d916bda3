"""The 7-joint reacher of the dynamics-gap literature: robots/reacher with another task.

Fixed goal, reward −0.1 |command|² − 0.5 |tip − goal|, 100 steps an episode, the policy sees 7
positions and 7 velocities (google-research/darc, reacher_7dof.py, has the executed action beside
them, which makes Δr trivial). In the target joint 2, the upper arm's roll, is dead.
"""

import dataclasses
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.arrays import namespace
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks import TASKS
from sim2real.tasks.task import Array, State, Task, TaskOptions

GOAL = np.array([0.45, -0.05, -0.323])
DEAD = {"actuator.upper_arm_roll.strength": 0.0}


@final
class FixedPoint(Task):
    """Tip to GOAL."""

    needs_tip = True

    def __init__(self, robot: Robot):
        self.options = TaskOptions(
            name="fixed_point", episode_seconds=5.0, hold_seconds=0.5, effort_weight=0.1
        )
        self._home = np.array([joint.home for joint in robot.joints.values()])
        self.nobs = self.nstart = 2 * len(self._home)

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "FixedPoint":
        """Return the task."""
        return cls(robot)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return positions and velocities."""
        xp = namespace(measured.position)
        return xp.concat([measured.position, measured.velocity], axis=-1)

    def reward(self, state: State) -> Array:
        """Return minus effort and distance."""
        effort = np.square(state.command).sum(axis=1)
        return -0.1 * effort - 0.5 * self.error(state)

    def terminated(self, state: State) -> NDArray[np.bool_]:
        """Return False."""
        return np.zeros(len(state.position), bool)

    def success(self, state: State) -> NDArray[np.bool_]:
        """Return which tips are within 10 cm."""
        return self.error(state) < 0.1

    def error(self, state: State) -> Array:
        """Return the tip's distance from the goal (n,) [m]."""
        assert state.tip_position is not None
        return np.linalg.norm(state.tip_position - GOAL, axis=1)

    def start(self, u: Array) -> tuple[Array, Array, None]:
        """Return starts near home, at rest."""
        noise, n = 0.01 * (2.0 * u - 1.0), len(self._home)
        return self._home + noise[:, :n], noise[:, n:], None


def reacher() -> Robot:
    """Return the robot with this task, and make the task known."""
    TASKS["fixed_point"] = FixedPoint
    robot = find_robot("reacher")
    return dataclasses.replace(robot, task={"name": "fixed_point"}, randomize={}, correlate=())
