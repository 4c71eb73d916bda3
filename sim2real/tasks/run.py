"""Run forward without falling."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from sim2real import config
from sim2real.errors import ConfigError, known
from sim2real.robot import Robot
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The `[task]` table."""

    forward: str
    """The joint along which to run; its position is not observed."""
    healthy: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Joint → the positions between which the robot has not fallen."""
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
    """A planar runner, as in Erez et al. 2012 and gymnasium's hopper."""

    def __init__(self, options: RunOptions, joints: Mapping[str, Any]):
        names = list(joints)
        for name in (options.forward, *options.healthy):
            if name not in names:
                raise ConfigError(f"task run: no joint {name!r}{known(name, names)}")
        self.episode_seconds = options.episode_seconds
        self.hold_seconds = options.hold_seconds
        self._options = options
        self._forward = names.index(options.forward)
        self._seen = [i for i in range(len(names)) if i != self._forward]
        self._healthy = [names.index(name) for name in options.healthy]
        self._range = np.array(list(options.healthy.values())).reshape(-1, 2)
        self._home = np.array([joint.home for joint in joints.values()])
        self.nobs = 2 * len(names) - 1
        self.nstart = 2 * len(names)

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Run":  # noqa: D102
        options = config.from_dict(RunOptions, robot.task, f"{robot.name}: task")
        return cls(options, robot.joints)

    def observe(self, position: Any, velocity: Any, command: Any, goal: Any) -> Any:  # noqa: D102
        xp = array_namespace(position)
        parts = [position[:, i : i + 1] for i in self._seen]
        return xp.concat([*parts, xp.clip(velocity, -10.0, 10.0)], axis=-1)

    def reward(self, state: State) -> Array:  # noqa: D102
        options = self._options
        effort = np.square(state.action).sum(axis=1)
        speed = state.velocity[:, self._forward]
        return options.forward_weight * speed + options.alive_bonus - options.effort_weight * effort

    def terminated(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        return ~self._is_healthy(state)

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        fast = state.velocity[:, self._forward] >= self._options.min_speed
        return self._is_healthy(state) & fast

    def start(self, u: Array) -> tuple[Array, Array]:  # noqa: D102
        noise = self._options.start_noise * (2.0 * u - 1.0)
        n = len(self._home)
        return self._home + noise[:, :n], noise[:, n:]

    def _is_healthy(self, state: State) -> NDArray[np.bool_]:
        position = state.position[:, self._healthy]
        # a NaN fails both comparisons, so it counts as fallen
        within = (position >= self._range[:, 0]) & (position <= self._range[:, 1])
        return np.logical_and.reduce(within, axis=1)
