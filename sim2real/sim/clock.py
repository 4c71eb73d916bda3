"""Where each simulation stands in its episode: what time it is, and the key of what is random."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.parameters import randomness

Array = NDArray[np.float64]


class Clock:
    """Seed, environment, episode and step of `nsim` simulations.

    Draws are functions of these and a name: whoever owns the episodes says which (`identify`,
    `begin`), the simulator counts the steps.
    """

    def __init__(self, nsim: int, rate: float):
        self.rate = rate
        """Control steps a second of the simulator."""
        self.step = np.zeros(nsim, np.int64)
        """Control steps since the start."""
        self.steps_per_sample = 1
        """Control steps between two commands, or two measurements that a controller sees.

        Above 1 where the simulator's steps are finer than the controller's: what is drawn for each
        sample then holds that long.
        """
        self._seed, self._environment = 0, np.arange(nsim)
        self._episode = np.zeros(nsim, np.int64)
        self._keys: dict[str, randomness.Keys] = {}
        """Of each name that was drawn, for the episodes that are under way (nsim,)."""

    @property
    def time(self) -> Array:
        """Time since the start [s], (nsim,)."""
        return self.step / self.rate

    @property
    def episode(self) -> NDArray[np.int64]:
        """A copy of the episodes that are under way, (nsim,)."""
        return self._episode.copy()

    def identify(self, seed: int, environment: ArrayLike | None = None) -> None:
        """Set the key of all draws, and the numbers (nsim,) of the environments."""
        self._seed = seed
        if environment is not None:
            self._environment[...] = environment
        self._keys.clear()

    def begin(self, episode: ArrayLike, rows: Any = slice(None)) -> None:
        """Say which `episode`, one or (n,), begins in simulations `rows` (n,)."""
        self._episode[rows] = episode
        for name, keys in self._keys.items():
            keys[rows] = self._worlds(name, rows)

    def uniform(self, name: str, size: int, rows: Any = slice(None)) -> Array:
        """Return numbers in (0, 1) for this sample of simulations `rows`: (n, size)."""
        sample = self.step[rows] // self.steps_per_sample
        return randomness.uniform_from(self._key(name, rows, sample), size)

    def normal(self, name: str, size: int, rows: Any = slice(None)) -> Array:
        """Return standard normal numbers for this step of simulations `rows`: (n, size)."""
        return randomness.normal_from(self._key(name, rows, self.step[rows]), size)

    def uniform_of(self, name: str, count: NDArray[np.int64], size: int) -> Array:
        """Return numbers in (0, 1) for the `count`-th (nsim,) event of an episode: (nsim, size)."""
        return randomness.uniform_from(self._key(name, slice(None), count), size)

    def _key(self, name: str, rows: Any, count: NDArray[Any]) -> randomness.Keys:
        keys = self._keys.get(name)
        if keys is None:
            keys = self._keys[name] = self._worlds(name, slice(None))
        return randomness.extended(keys[rows], count)

    def _worlds(self, name: str, rows: Any) -> randomness.Keys:
        return randomness.key_of(self._seed, name, self._environment[rows], self._episode[rows])
