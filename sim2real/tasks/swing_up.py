"""Swing a pendulum, or a chain of them, up and hold it there."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.arrays import dot, namespace
from sim2real.errors import ConfigError
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task, TaskOptions


@dataclass(frozen=True, kw_only=True)
class SwingUpOptions(TaskOptions):
    """The `[task]` table."""

    name: str = "swing_up"
    episode_seconds: float = 6.0
    hold_seconds: float = 1.0
    effort_weight: float = 0.1
    change_weight: float = 0.4
    """Of the change of the torque from step to step: holding still must not chatter."""
    upright_starts: float = 0.3
    """Share of the episodes that begin near upright."""


@final
class SwingUp(Task):
    """A chain of parallel hinges that hangs at 0; upright, its first angle is π, the others 0.

    With one hinge a pendulum; with two a double pendulum, or, where one is passive, an acrobot.
    """

    def __init__(self, options: SwingUpOptions, robot: Robot):
        self.options = self._options = options
        limits = {name: joint.limits for name, joint in robot.joints.items() if joint.limits}
        self._torque = np.array([limits[name].torque for name in robot.driven])
        self._velocity = np.array([limit.velocity for limit in limits.values()])
        self._njoint = n = len(robot.joints)
        self._effort = options.effort_weight / len(robot.driven)
        self._change = options.change_weight / len(robot.driven)
        self.nobs, self.nstart = 3 * n + len(robot.driven), n + 1

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "SwingUp":  # noqa: D102
        fits = [joint.mode != "position" and joint.limits for joint in robot.joints.values()]
        if robot.base is not None or not all(fits):
            raise ConfigError(
                f"robot {robot.name!r}: the task swing_up needs a chain of hinges with limits, in"
                " torque mode or passive"
            )
        return cls(config.from_dict(SwingUpOptions, robot.task, f"{robot.name}: task"), robot)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:  # noqa: D102
        angle, velocity = measured.position, measured.velocity
        xp = namespace(angle)
        torque = xp.asarray(self._torque, dtype=angle.dtype)
        parts = [xp.cos(angle), xp.sin(angle), velocity / 8.0, command / torque]
        return xp.concat(parts, axis=-1)

    def reward(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.position)
        below = 1.0 + _cosines(xp, state.position)
        torque = xp.asarray(self._torque, dtype=below.dtype)
        effort, change = state.command / torque, (state.command - state.last_command) / torque
        height = 1.0 - xp.sum(below, axis=1) / (2 * self._njoint)  # 1 upright, 0 hanging
        speed = dot(state.velocity, state.velocity)
        # height counts little at speed: else going round and round is a way of being high, too
        high = 0.2 * height + 0.3 * height**2 * xp.exp(-speed / 8.0)
        held = 0.5 * xp.exp(dot(below, below) / -0.02 - 0.5 * speed)
        cost = self._effort * dot(effort, effort) + self._change * dot(change, change)
        return high + held - cost

    def terminated(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.velocity)
        limit = xp.asarray(self._velocity, dtype=state.velocity.dtype)
        return xp.any(xp.abs(state.velocity) > limit, axis=1)

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        upright = -_cosines(namespace(state.position), state.position) > math.cos(0.2)
        return np.logical_and.reduce(upright & (np.abs(state.velocity) < 2.0), axis=1)

    def start(self, u: Array) -> tuple[Array, Array, None]:
        """Return hanging starts; a third begin near upright, so that holding is learned early."""
        off = u[:, : self._njoint] - 0.5
        upright = u[:, self._njoint :] < self._options.upright_starts
        top = np.pi * (np.arange(self._njoint) == 0)
        angle = np.where(upright, top + off, 0.2 * off)
        return angle, np.zeros_like(angle), None


def _cosines(xp: Any, position: Any) -> Any:
    """Return the cosine of each link's angle (n, njoint) from hanging."""
    return xp.cos(xp.cumulative_sum(position, axis=1) if position.shape[1] > 1 else position)
