"""Bring the fingertip to a point."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.arrays import namespace
from sim2real.errors import ConfigError
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task, TaskOptions


@dataclass(frozen=True, kw_only=True)
class ReachPointOptions(TaskOptions):
    """The `[task]` table."""

    name: str = "reach_point"
    episode_seconds: float = 5.0
    hold_seconds: float = 0.5
    reach: float = 0.8
    """Share of each joint's range from which goals are drawn."""
    start_noise: float = 0.1
    """Largest deviation of the start from home [rad, rad/s]."""
    distance: float = 0.05
    """The tip is there within this distance [m]."""
    effort_weight: float = 0.05
    """Of the mean squared action."""


@final
class ReachPoint(Task):
    """The goal is a point (3,) in the world, where the tip is at random joint positions.

    The task of the 7-joint reacher of Chua et al. 2018 and Nagabandi et al. 2019, for an arm in any
    mode; `reach` also asks for an orientation, and needs servos.
    """

    needs_tip = True
    ngoal = 3

    def __init__(self, options: ReachPointOptions, robot: Robot, kinematics: Kinematics):
        self.options = self._options = options
        self._kinematics = kinematics
        limits = [joint.limits.position for joint in robot.joints.values() if joint.limits]
        low, high = np.array(limits).T
        self._centre, self._span = (low + high) / 2, options.reach * (high - low)
        self._home = np.array([joint.home for joint in robot.joints.values()])
        n = self.ngoal_uniforms = len(robot.joints)
        self.nobs, self.nstart = 2 * n + 3, 2 * n

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "ReachPoint":  # noqa: D102
        limited = [joint.limits and joint.limits.position for joint in robot.joints.values()]
        if robot.tip is None or robot.base is not None or not all(limited):
            raise ConfigError(
                f"robot {robot.name!r}: the task reach_point needs a tip, no floating base, and"
                " limits of position for every joint"
            )
        options = config.from_dict(ReachPointOptions, robot.task, f"{robot.name}: task")
        return cls(options, robot, kinematics)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return the joints, and the way from the tip to the goal."""
        xp = namespace(measured.position)
        tip, _ = self._kinematics.tip(measured.position)
        return xp.concat([measured.position, measured.velocity / 5.0, 4.0 * (goal - tip)], axis=-1)

    def reward(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.position)
        distance, effort = self.error(state), xp.mean(state.action**2, axis=1)
        near = xp.exp(-((distance / 0.05) ** 2))
        return 1.0 - distance + near - self._options.effort_weight * effort

    def terminated(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.position)
        return ~xp.all(xp.isfinite(state.position), axis=1)

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        return self.error(state) < self._options.distance

    def error(self, state: State) -> Any:
        """Return the tip's distance from the goal (n,) [m]."""
        tip = state.tip_position
        if tip is None:  # a recording, or a planner's model: from the joints
            tip, _ = self._kinematics.tip(state.position)
        xp = namespace(tip)
        return xp.sqrt(xp.sum((tip - state.goal) ** 2, axis=1))

    def start(self, u: Array) -> tuple[Array, Array, None]:  # noqa: D102
        noise, n = self._options.start_noise * (2.0 * u - 1.0), len(self._home)
        return self._home + noise[:, :n], noise[:, n:], None

    def draw_goal(self, u: Array) -> Array:  # noqa: D102
        return self._kinematics.tip(self._centre + self._span * (u - 0.5))[0]

    def default_goal(self) -> Array:
        """Return the point with the joints at the centre of their ranges."""
        return self._kinematics.tip(self._centre[None])[0][0]
