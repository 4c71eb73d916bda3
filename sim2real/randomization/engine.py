"""The engine: draws a world for each (environment, episode) and writes it to the simulator."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.parameters import ParameterSet
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]

_LAST = 1.0 - 2.0**-53
"""The upper end of the quantiles: 1 itself may be rounded to beyond the range."""


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
        self._declared = dict(self._ranges)
        self._moved: dict[str, int] = {}
        self._boundary = 0.0
        self._refuse_impossible_ranges()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the `p` parameters, in the order of the columns."""
        return self.parameters.names

    @property
    def ranges(self) -> Mapping[str, Range]:
        """What each parameter is drawn from now, without those of the posterior."""
        return MappingProxyType(self._ranges)

    def replace(self, ranges: Mapping[str, Range], *, boundary: float = 0.0) -> None:
        """Draw the parameters of `ranges` from these, from the next draw on; others stay.

        Their normalized values then say where they lie between the bounds they were declared with:
        whoever sees them sees one scale while the distribution moves.

        Args:
            ranges: parameter → its new range.
            boundary: share of the worlds in which one of these parameters, in turn with the others,
                stands at one end of its range.

        Raises:
            ParameterError: a parameter that is not drawn from a range, or an impossible range.
        """
        columns = {name: column for column, name in enumerate(self._ranges)}
        for name in ranges:
            if name not in columns:
                raise ParameterError(f"{name!r} is not drawn from a range{known(name, columns)}")
            if not np.isfinite(self._declared_bounds(columns[name])).all():
                raise ParameterError(f"{name}: to move its range, declare one that has bounds")
        self._ranges.update(ranges)
        self._refuse_impossible_ranges()
        self._moved.update((name, columns[name]) for name in ranges)
        self._boundary = boundary

    def draw(self, ids: NDArray[Any], episode: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return the worlds of environments `ids` (n,) in their episodes `episode` (n,).

        Returns:
            values: the parameters (n, p), in SI units.
            normalized: the same, each on the scale of its own distribution, about [-1, 1].
        """
        u = randomness.uniform_per_term(self.seed, self._keys, ids, episode)
        if self._boundary:
            self._put_on_boundaries(u, ids, episode)
        values = np.empty((len(ids), len(self.names)))
        normalized = np.empty_like(values)
        normalized[:, : u.shape[1]] = 2.0 * u - 1.0
        pairs = zip(self._ranges.values(), self.parameters.nominal, strict=False)
        for column, (item, nominal) in enumerate(pairs):
            values[:, column] = item.values(float(nominal), u[:, column])
        for column in self._moved.values():
            low, high = self._declared_bounds(column)
            normalized[:, column] = (2.0 * values[:, column] - low - high) / ((high - low) or 1.0)
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

    def _declared_bounds(self, column: int) -> tuple[float, float]:
        item = self._declared[self.names[column]]
        return item.bounds(float(self.parameters.nominal[column]))

    def _put_on_boundaries(self, u: Array, ids: NDArray[Any], episode: NDArray[np.int64]) -> None:
        """Set one of the quantiles `u` (n, p) to an end, in a share of the rows."""
        chance = randomness.uniform(self.seed, "boundary", ids, episode, size=2)
        rows = np.flatnonzero(chance[:, 0] < self._boundary)
        end = (chance[rows, 1] * 2 * len(self._moved)).astype(int)
        columns = np.array(list(self._moved.values()), int)
        u[rows, columns[end // 2]] = np.where(end % 2, _LAST, 0.0)

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
