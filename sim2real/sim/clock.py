"""Where each simulation stands in its episode: what time it is, and the key of what is random."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.parameters import randomness

Array = NDArray[np.float64]


class Clock:
    """Seed, environment, episode and step of `nsim` simulations.

    Draws are functions of these and a name: whoever owns the episodes writes `seed` and `episode`,
    the simulator counts the steps.
    """

    def __init__(self, nsim: int, rate: float):
        self.seed = 0
        self.rate = rate
        """Control steps a second of the simulator."""
        self.environment = np.arange(nsim)
        self.episode = np.zeros(nsim, np.int64)
        self.step = np.zeros(nsim, np.int64)
        """Control steps since the start."""
        self.steps_per_sample = 1
        """Control steps between two commands, or two measurements that a controller sees.

        Above 1 where the simulator's steps are finer than the controller's: what is drawn for each
        sample then holds that long.
        """

    @property
    def time(self) -> Array:
        """Time since the start [s], (nsim,)."""
        return self.step / self.rate

    def uniform(self, name: str, size: int, rows: Any = slice(None)) -> Array:
        """Return numbers in (0, 1) for this sample of simulations `rows`: (n, size)."""
        sample = self.step[rows] // self.steps_per_sample
        return randomness.uniform(self.seed, name, *self._world(rows), sample, size=size)

    def normal(self, name: str, size: int, rows: Any = slice(None)) -> Array:
        """Return standard normal numbers for this step of simulations `rows`: (n, size)."""
        return randomness.normal(self.seed, name, *self._world(rows), self.step[rows], size=size)

    def uniform_of(self, name: str, count: NDArray[np.int64], size: int) -> Array:
        """Return numbers in (0, 1) for the `count`-th (nsim,) event of an episode: (nsim, size)."""
        return randomness.uniform(self.seed, name, *self._world(slice(None)), count, size=size)

    def _world(self, rows: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return self.environment[rows], self.episode[rows]
