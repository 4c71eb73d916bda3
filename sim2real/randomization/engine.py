"""The engine: draws a world for each (environment, episode) and writes it to the simulator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.friction import refuse_hidden_friction
from sim2real.randomization.parameters import ParameterSet
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]


class Randomizer:
    """Draws dynamics parameters from ranges, and from a posterior where one knows better.

    A world is a function of (seed, parameter, environment, episode): it can be drawn again alone,
    and neither other parameters nor other environments change it.
    """

    def __init__(
        self,
        sim: Simulator,
        ranges: Mapping[str, Range],
        posterior: Posterior | None = None,
        *,
        seed: int,
    ):
        self._sim, self._posterior, self.seed = sim, posterior, seed
        joint_names = posterior.names if posterior else ()
        self._ranges = {name: item for name, item in ranges.items() if name not in joint_names}
        self.parameters = ParameterSet(
            sim.model, tuple(sim.robot.joints), (*self._ranges, *joint_names)
        )
        self._keys = tuple(f"parameter:{name}" for name in self._ranges)
        self._refuse_impossible_ranges()
        refuse_hidden_friction(sim.model, self._ranges)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the `p` parameters, in the order of the columns."""
        return self.parameters.names

    def draw(self, ids: NDArray[Any], episode: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return the worlds of environments `ids` (n,) in their episodes `episode` (n,).

        Returns:
            values: the parameters (n, p), in SI units.
            normalized: the same, each on the scale of its own distribution, about [-1, 1].
        """
        u = randomness.uniform_per_term(self.seed, self._keys, ids, episode)
        values = np.empty((len(ids), len(self.names)))
        normalized = np.empty_like(values)
        normalized[:, : u.shape[1]] = 2.0 * u - 1.0
        pairs = zip(self._ranges.values(), self.parameters.nominal, strict=False)
        for column, (item, nominal) in enumerate(pairs):
            values[:, column] = item.values(float(nominal), u[:, column])
        if self._posterior is not None:
            count = len(self._posterior.names)
            z = randomness.normal(self.seed, "posterior", ids, episode, size=count)
            values[:, u.shape[1] :] = self._posterior.draw(z)
            normalized[:, u.shape[1] :] = z / 2.0
        return values, normalized

    def apply(self, ids: Ids, values: Array) -> None:
        """Write worlds (n, p) to the simulations `ids` (n,), before their reset."""
        if self.names:
            self.parameters.write(self._sim, ids, values)

    def _refuse_impossible_ranges(self) -> None:
        for (name, item), nominal, (low, high) in zip(
            self._ranges.items(), self.parameters.nominal, self.parameters.bounds, strict=False
        ):
            smallest, largest = item.bounds(float(nominal))
            if not (smallest >= low and largest <= high):
                raise ParameterError(
                    f"{name}: its range [{smallest:g}, {largest:g}] (nominal {nominal:g}) leaves"
                    f" what is physically possible, [{low:g}, {high:g}]"
                )
