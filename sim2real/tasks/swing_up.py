"""Swing a pendulum up and hold it there."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from sim2real import config
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
    """One joint whose angle 0 hangs down; upright is π."""

    nobs = 4
    nstart = 2

    def __init__(self, options: SwingUpOptions, torque_limit: float, velocity_limit: float):
        self.options = self._options = options
        self._torque_limit = torque_limit
        self._velocity_limit = velocity_limit

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "SwingUp":  # noqa: D102
        joints = list(robot.joints.values())
        if len(joints) != 1 or joints[0].mode != "torque" or joints[0].limits is None:
            raise ConfigError(
                f"robot {robot.name!r}: the task swing_up needs exactly one joint, in torque mode"
            )
        options = config.from_dict(SwingUpOptions, robot.task, f"{robot.name}: task")
        return cls(options, joints[0].limits.torque, joints[0].limits.velocity)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:  # noqa: D102
        angle, velocity = measured.position, measured.velocity
        xp = array_namespace(angle)
        parts = [xp.cos(angle), xp.sin(angle), velocity / 8.0, command / self._torque_limit]
        return xp.concat(parts, axis=-1)

    def reward(self, state: State) -> Array:  # noqa: D102
        height = 0.5 * (1.0 - np.cos(state.position[:, 0]))  # 1 upright, 0 hanging
        speed = state.velocity[:, 0] ** 2
        effort = (state.command[:, 0] / self._torque_limit) ** 2
        change = ((state.command - state.last_command)[:, 0] / self._torque_limit) ** 2
        # height counts little at speed: else going round and round is a way of being high, too
        high = 0.2 * height + 0.3 * height**2 * np.exp(-speed / 8.0)
        held = 0.5 * _near_upright(state.position[:, 0]) * np.exp(-0.5 * speed)
        options = self._options
        return high + held - options.effort_weight * effort - options.change_weight * change

    def terminated(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        return np.abs(state.velocity[:, 0]) > self._velocity_limit

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        return (-np.cos(state.position[:, 0]) > math.cos(0.2)) & (
            np.abs(state.velocity[:, 0]) < 2.0
        )

    def start(self, u: Array) -> tuple[Array, Array, None]:
        """Return hanging starts; a third begin near upright, so that holding is learned early."""
        upright = u[:, 1:] < self._options.upright_starts
        angle = np.where(upright, np.pi + (u[:, :1] - 0.5), 0.2 * (u[:, :1] - 0.5))
        return angle, np.zeros_like(angle), None


def _near_upright(angle: Array) -> Array:
    return np.exp(-((1.0 + np.cos(angle)) ** 2) / 0.02)
