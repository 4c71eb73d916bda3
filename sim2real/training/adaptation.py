"""Adaptive randomization in a training: episodes in, other ranges out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from sim2real import config
from sim2real.envs.episodes import Episodes
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters.ranges import Range
from sim2real.randomization.adaptive.algorithm import Adaptive
from sim2real.randomization.adaptive.box import Box
from sim2real.randomization.adaptive.settings import AdaptiveSettings

ADAPTED = "randomize.toml"
"""In a run's folder: the ranges that it came to."""
_SHOWN = (0.05, 0.95)
"""The quantiles of each distribution that are logged."""


@final
class Adaptation:
    """Lets the ranges of an environment follow its episodes.

    The algorithm sees rounds of one episode of each environment, all drawn from the present
    distribution, in the order in which each environment played them. Whichever ended first would
    be another sample: short episodes end first, and a policy's failures are short.
    """

    def __init__(self, env: RobotVectorEnv, algorithm: Adaptive):
        """Draw the environment's worlds from the algorithm's source from the next episodes on."""
        self._env, self._algorithm = env, algorithm
        self._columns = [env.randomizer.names.index(name) for name in algorithm.names]
        self._waiting: list[list[_Episode]] = []
        self._first = np.zeros(env.num_envs, np.int64)
        self._follow()
        env.listeners.append(self._take)

    @classmethod
    def of(cls, env: RobotVectorEnv, settings: AdaptiveSettings) -> "Adaptation | None":
        """Return what `settings` ask for; None if no range is to move.

        Raises:
            ParameterError: a parameter that cannot adapt.
        """
        if not settings.moves_ranges:
            return None
        return cls(env, settings.make(box_of(env, settings.parameters)))

    def metrics(self) -> dict[str, float]:
        """Return what to log: the algorithm's own, and where 90 % of each parameter's draws lie."""
        own = {f"adaptive/{name}": value for name, value in self._algorithm.metrics().items()}
        for name, item in self._algorithm.source.ranges.items():
            low, high = item.distribution.quantile(np.array(_SHOWN))
            own |= {f"adaptive/{name}/p05": float(low), f"adaptive/{name}/p95": float(high)}
        return own

    def save(self, folder: Path) -> None:
        """Write the present ranges to the run's folder, as the `[randomize]` of a robot.toml."""
        save_ranges(self._env.randomizer.ranges, folder / ADAPTED)

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "algorithm": self._algorithm.state_dict(),
            "waiting": [list(queue) for queue in self._waiting],
            "first": self._first.copy(),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._algorithm.load_state_dict(data["algorithm"])
        self._follow()
        self._waiting = [list(queue) for queue in data["waiting"]]
        self._first[...] = data["first"]

    def _take(self, episodes: Episodes) -> None:
        """Take in episodes that ended; the next ones of their environments are not drawn yet."""
        present = episodes.episode >= self._first[episodes.environment]
        for i in np.flatnonzero(present & ~episodes.diverged):
            world = episodes.values[i, self._columns]
            row = world, float(episodes.returns[i]), bool(episodes.success[i])
            self._waiting[episodes.environment[i]].append(row)
        while all(self._waiting):
            before = self._algorithm.source
            values, returns, success = zip(*[queue.pop(0) for queue in self._waiting], strict=True)
            after = self._algorithm.observe(np.stack(values), np.array(returns), np.array(success))
            if after is not before:
                self._follow()

    def _follow(self) -> None:
        """Draw from the algorithm's source; what is under way was drawn from another."""
        source = self._algorithm.source
        self._env.randomize(source.ranges, boundary=source.boundary)
        self._first = self._env.episode + 1
        self._waiting = [[] for _ in range(self._env.num_envs)]


def box_of(env: RobotVectorEnv, chosen: Sequence[str] = ()) -> Box:
    """Return the box in which the ranges of `env` can move; raises ParameterError."""
    randomizer = env.randomizer
    movable = randomizer.movable
    columns = [randomizer.names.index(name) for name in movable]
    return Box.of(movable, randomizer.parameters.nominal[columns].tolist(), chosen)


def save_ranges(ranges: Mapping[str, Range], path: Path) -> None:
    """Write ranges as the `[randomize]` table of a robot.toml."""
    config.save({"randomize": {name: item.to_toml() for name, item in ranges.items()}}, path)


_Episode = tuple[Any, float, bool]
"""World (p,), return, success."""
