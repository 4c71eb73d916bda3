"""Run forward without falling."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.arrays import namespace
from sim2real.errors import ConfigError, known
from sim2real.robot import Robot
from sim2real.rotation import forward_axis, projected_gravity
from sim2real.signals import Measured
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task, TaskOptions

_BASE = ("base.x", "base.y", "base.z")


@dataclass(frozen=True, kw_only=True)
class RunOptions(TaskOptions):
    """The `[task]` table. A coordinate is a joint, or `base.x`, `base.y`, `base.z`."""

    forward: str
    """The coordinate along which to run; it is not observed."""
    healthy: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Coordinate → the positions between which the robot has not fallen."""
    name: str = "run"
    episode_seconds: float = 8.0
    forward_weight: float = 1.0
    alive_bonus: float = 1.0
    effort_weight: float = 0.001
    start_noise: float = 0.005
    hold_seconds: float = 1.0
    min_speed: float = 0.5
    """A robot that goes forward at least this fast runs [m/s]."""


@final
class Run(Task):
    """A runner, as in Erez et al. 2012 and gymnasium's hopper, planar or with a floating base.

    One with a floating base sees what an IMU tells: which way is down, which way is forward, and
    how fast it turns.
    """

    def __init__(self, options: RunOptions, robot: Robot):
        self._robot = robot
        self.options = self._options = options
        names = [*robot.joints, *(_BASE if robot.base else ())]
        for name in (options.forward, *options.healthy):
            if name not in names:
                raise ConfigError(f"task run: no coordinate {name!r}{known(name, names)}")
        njoint = len(robot.joints)
        self._forward = names.index(options.forward)
        self._seen = [i for i in range(njoint) if i != self._forward]
        self._healthy = [names.index(name) for name in options.healthy]
        self._range = np.array(list(options.healthy.values())).reshape(-1, 2)
        self._home = np.array([joint.home for joint in robot.joints.values()])
        self.nobs = len(self._seen) + njoint + (9 if robot.base else 0)
        self.nstart = 2 * njoint + (6 if robot.base else 0)

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Run":  # noqa: D102
        return cls(config.from_dict(RunOptions, robot.task, f"{robot.name}: task"), robot)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:  # noqa: D102
        xp = namespace(measured.position)
        parts = [measured.position[:, i : i + 1] for i in self._seen]
        parts.append(xp.clip(measured.velocity, -10.0, 10.0))
        if self._robot.base is not None:
            level = projected_gravity(measured.orientation)
            heading = forward_axis(measured.orientation)
            parts += [level, heading, xp.clip(measured.angular_velocity, -10.0, 10.0)]
        return xp.concat(parts, axis=-1)

    def reward(self, state: State) -> Any:  # noqa: D102
        options, xp = self._options, namespace(state.action)
        effort = xp.sum(state.action**2, axis=1)
        speed = self._speed(state)
        return options.forward_weight * speed + options.alive_bonus - options.effort_weight * effort

    def terminated(self, state: State) -> Any:  # noqa: D102
        return ~self._is_healthy(state)

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        return self._is_healthy(state) & (self._speed(state) >= self._options.min_speed)

    def start(self, u: Array) -> tuple[Array, Array, BaseState | None]:  # noqa: D102
        noise = self._options.start_noise * (2.0 * u - 1.0)
        n, pushes = len(self._home), noise[:, 2 * len(self._home) :]
        position, velocity = self._home + noise[:, :n], noise[:, n : 2 * n]
        if self._robot.base is None:
            return position, velocity, None
        home = BaseState.at_home(self._robot, len(u))
        base = BaseState(
            position=home.position,
            orientation=home.orientation,
            linear_velocity=pushes[:, :3],
            angular_velocity=pushes[:, 3:],
        )
        return position, velocity, base

    def _speed(self, state: State) -> Any:
        if state.base is None:
            return state.velocity[:, self._forward]
        linear = state.base.linear_velocity
        return np.concatenate([state.velocity, linear], axis=1)[:, self._forward]

    def _is_healthy(self, state: State) -> Any:
        position = state.position
        if state.base is not None:
            position = np.concatenate([position, state.base.position], axis=1)
        xp = namespace(position)
        position = position[:, self._healthy]
        low, high = (xp.asarray(limit, dtype=position.dtype) for limit in self._range.T)
        # a NaN fails both comparisons, so it counts as fallen
        return xp.all((position >= low) & (position <= high), axis=1)
