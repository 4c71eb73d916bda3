"""Which randomized world each environment simulates, and what draws the next one."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.draws import Instant
from sim2real.randomization.engine import Randomizer
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@final
class Worlds:
    """The worlds of `n` environments: the parameters of the episodes that are under way.

    A world is a function of (seed, environment, episode), and of how far the training is.
    """

    def __init__(
        self,
        sim: Simulator,
        environments: Integers,
        *,
        ranges: Mapping[str, Range],
        posterior: Posterior | None,
        posterior_share: float,
    ):
        """Make the worlds of `environments` (n,), to be simulated by `sim`; see `Randomizer`."""
        self._sim, self.environments = sim, environments
        self._ranges, self._posterior, self._share = ranges, posterior, posterior_share
        self._moved: Mapping[str, Range] = {}
        self._boundary = 0.0
        self.training_progress = 1.0
        """How much of the training is over, in [0, 1], for the episodes that begin from now on."""
        self.seed(0)
        n, p = len(environments), len(self.randomizer.names)
        self.values = np.zeros((n, p))
        """As they are now, in SI units (n, p), in the order of `randomizer.names`."""
        self.normalized = np.zeros((n, p))
        """Each on the scale of its own distribution (n, p); NaN where they were set."""
        self.progress = np.ones(n)
        """Of the training, when each episode began (n,)."""

    def seed(self, seed: int) -> None:
        """Draw from now on with another key."""
        self.randomizer = Randomizer(
            self._sim,
            self._ranges,
            self._posterior,
            seed=seed,
            correlations=self._sim.robot.correlations if self._ranges else (),
            posterior_share=self._share,
            impossible=self._sim.robot.impossible,
        )
        if self._moved:
            self.randomizer.replace(self._moved, boundary=self._boundary)

    def move(self, ranges: Mapping[str, Range], boundary: float) -> None:
        """Draw from other ranges from each environment's next episode on: `Randomizer.replace`."""
        self.randomizer.replace(ranges, boundary=boundary)
        self._moved, self._boundary = dict(ranges), boundary

    def begin(self, ids: Ids, episode: Integers, given: Array | None = None) -> None:
        """Draw the worlds of `ids` (n,) for their episodes (n,), or take those `given` (n, p)."""
        self.progress[ids] = self.training_progress
        drawn = self.randomizer.draw(self.environments[ids], episode, self.progress[ids])
        values, self.normalized[ids] = drawn if given is None else (given, np.nan)
        self.values[ids] = values
        self.randomizer.apply(ids, values)

    def vary(self, ids: Ids, episode: Integers, steps: Integers) -> None:
        """Draw anew what varies within the episodes of `ids` (n,); `episode`, `steps` of all."""
        now = Instant(self.environments, episode, steps, self.progress).of(ids)
        self.randomizer.vary(ids, now, (self.values, self.normalized))

    def columns(self, patterns: Sequence[str] | None) -> list[int]:
        """Return which parameters are meant by names or patterns (`joint.*.damping`), None: all.

        Raises ParameterError: a pattern that no randomized parameter has.
        """
        names = self.randomizer.names
        if patterns is None:
            return list(range(len(names)))
        for pattern in patterns:
            if not fnmatch.filter(names, _literal(pattern)):
                raise ParameterError(
                    f"privileged: {pattern!r} is not randomized{known(pattern, names)}"
                )
        found = {name for pattern in patterns for name in fnmatch.filter(names, _literal(pattern))}
        return [i for i, name in enumerate(names) if name in found]

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "training_progress": self.training_progress,
            "mended": self.randomizer.mender.count,
            "values": self.values.copy(),
            "normalized": self.normalized.copy(),
            "progress": self.progress.copy(),
        }

    def load_state_dict(self, data: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, and write the worlds to the simulator."""
        self.training_progress = data["training_progress"]
        self.randomizer.mender.count = data["mended"]
        for name in ("values", "normalized", "progress"):
            getattr(self, name)[...] = data[name]
        self.randomizer.apply(np.arange(len(self.values), dtype=np.int32), self.values)


def _literal(pattern: str) -> str:
    """Return a pattern in which only stars are special: names have brackets."""
    return pattern.replace("[", "[[]")
