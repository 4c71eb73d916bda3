"""Many ranges at once: the columns of one array, drawn together."""

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.parameters.distributions import Categorical, LogUniform, Mixture, Uniform
from sim2real.parameters.ranges import Range

Array = NDArray[np.float64]

_GRID = (np.arange(1000) + 0.5) / 1000


@final
class RangeTable:
    """`p` ranges around their nominal values: what `Range.values` says of each, in few calls.

    A reset draws few worlds of many parameters: there, a call a parameter costs the most.
    """

    def __init__(self, ranges: Sequence[Range], nominal: Array):
        """Make the table of `ranges` around `nominal` (p,)."""
        self.ranges, self.nominal = tuple(ranges), nominal
        plain = [type(item.distribution) if item.curriculum is None else None for item in ranges]
        self._uniform = _slice([i for i, kind in enumerate(plain) if kind is Uniform])
        self._log_uniform = _slice([i for i, kind in enumerate(plain) if kind is LogUniform])
        self._others = [i for i, kind in enumerate(plain) if kind not in (Uniform, LogUniform)]
        self._low, self._high = np.array([r.distribution.support for r in ranges]).reshape(-1, 2).T
        scales, adds = ([item.operation == name for item in ranges] for name in ("scale", "add"))
        self._factor = np.where(scales, nominal, 1.0)
        self._shift = np.where(adds, nominal, 0.0)
        self._by_moments = [i for i, item in enumerate(ranges) if not _ranked(item)]
        self._mean, self._std = self.moments()

    def values(self, u: Array, progress: ArrayLike = 1.0) -> Array:
        """Return parameter values (n, p) at the quantiles `u` (n, p).

        `progress`, a number or (n,), is the share of the training that is over.
        """
        x = np.zeros_like(u)  # also what the others get later: leftovers may not be numbers
        if self._uniform is not None:
            low, high = self._low[self._uniform], self._high[self._uniform]
            x[:, self._uniform] = low + u[:, self._uniform] * (high - low)
        if self._log_uniform is not None:
            low, high = self._low[self._log_uniform], self._high[self._log_uniform]
            x[:, self._log_uniform] = low * (high / low) ** u[:, self._log_uniform]
        values = self._factor * x + self._shift
        for i in self._others:
            values[:, i] = self.ranges[i].values(float(self.nominal[i]), u[:, i], progress)
        return values

    def normalized(self, values: Array, u: Array) -> Array:
        """Return values (n, p) drawn at `u`, each on the scale of its own distribution.

        A range of a continuous distribution gives the rank of the value, in (-1, 1). Where `u` says
        something else than that (values with weights, mixtures, a curriculum), it is the distance
        from the mean in two standard deviations, of what is drawn at the end of the training.
        """
        result = 2.0 * u - 1.0
        for i in self._by_moments:
            result[:, i] = (values[:, i] - self._mean[i]) / (2.0 * (self._std[i] or 1.0))
        return result

    def moments(self) -> tuple[Array, Array]:
        """Return mean and standard deviation (p,) of what is drawn at the end of the training."""
        values = self.values(np.tile(_GRID[:, None], len(self.ranges)))
        return values.mean(axis=0), values.std(axis=0)


def _ranked(item: Range) -> bool:
    discrete = isinstance(item.distribution, (Categorical, Mixture))
    return item.curriculum is None and not discrete


def _slice(index: list[int]) -> slice | list[int] | None:
    """Return what selects the columns `index`, the cheapest way; None for none."""
    if not index:
        return None
    contiguous = index == list(range(index[0], index[-1] + 1))
    return slice(index[0], index[-1] + 1) if contiguous else index
