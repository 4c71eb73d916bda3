"""A joint distribution of parameters, as a calibration returns it and training draws it."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.errors import ParameterError
from sim2real.parameters.names import ParameterName

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """`m` parameter vectors that were found together, each as likely as its weight says."""

    values: tuple[tuple[float, ...], ...]
    """(m, p)."""
    weights: tuple[float, ...] | None = None
    """(m,); all alike if not given."""
    kernel: float = 0.0
    """Width of the normal kernel around each sample, in standard deviations of all: 0 draws the
    samples themselves. The draws keep the mean and the covariance of the samples (West 1993)."""

    def __post_init__(self) -> None:
        if not self.values or len({len(row) for row in self.values}) > 1:
            raise ParameterError("samples: rows of the same length are needed, at least one")
        if not np.isfinite(self.table).all():
            raise ParameterError("samples: all numbers must be finite")
        weights = self.shares
        if len(weights) != len(self.values) or not (weights >= 0).all() or not weights.sum() > 0:
            raise ParameterError(
                f"samples: {len(self.values)} rows need as many weights, none of them negative,"
                f" {len(weights)} are given"
            )
        if not 0.0 <= self.kernel <= 1.0:
            raise ParameterError(f"samples: the kernel {self.kernel} must be in [0, 1]")

    @functools.cached_property
    def shares(self) -> Array:
        """The weights (m,), adding up to 1."""
        weights = np.ones(len(self.values)) if self.weights is None else np.asarray(self.weights)
        return weights / weights.sum() if weights.sum() > 0 else weights

    @functools.cached_property
    def table(self) -> Array:
        """The values as an array (m, p)."""
        return np.asarray(self.values, float)

    @property
    def mean(self) -> Array:
        """(p,)."""
        return self.shares @ self.table

    @property
    def covariance(self) -> Array:
        """(p, p)."""
        apart = self.table - self.mean
        return (apart * self.shares[:, None]).T @ apart


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """A distribution over `p` parameters, cut to the bounds in which they are physical.

    It is a normal distribution, or that of `samples`, which then have the mean and the covariance
    that are given. Values are absolute, in SI units, in the order of `names`.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    origin: dict[str, Any]
    """Where it came from: robot, logs with their hashes, versions, errors on held-out windows."""
    samples: Samples | None = None

    def __post_init__(self) -> None:
        p = len(self.names)
        for name in self.names:
            ParameterName.parse(name)
        covariance = np.asarray(self.covariance)
        sizes = {len(self.mean), len(self.lower), len(self.upper), len(self.covariance)}
        if sizes != {p} or covariance.shape != (p, p):
            raise ParameterError(
                f"posterior: {p} names need as many means, bounds and covariance rows"
            )
        if not np.all(np.isfinite(covariance)) or np.linalg.eigvalsh(
            covariance
        ).min() < -1e-9 * max(1e-12, np.trace(covariance)):
            raise ParameterError("posterior: the covariance is not positive semidefinite")
        if not np.all(np.asarray(self.lower) < np.asarray(self.upper)):
            raise ParameterError("posterior: each lower bound must be below its upper bound")
        if self.samples is not None:
            _check_samples(self, self.samples)

    @classmethod
    def of_samples(
        cls,
        names: tuple[str, ...],
        samples: Samples,
        *,
        lower: tuple[float, ...],
        upper: tuple[float, ...],
        origin: dict[str, Any],
    ) -> "Posterior":
        """Return the posterior of `samples`, with their mean and covariance."""
        return cls(
            names=names,
            mean=tuple(samples.mean.tolist()),
            covariance=tuple(map(tuple, samples.covariance.tolist())),
            lower=lower,
            upper=upper,
            origin=origin,
            samples=samples,
        )

    @property
    def std(self) -> Array:
        """Standard deviations (p,)."""
        return np.sqrt(np.diag(np.asarray(self.covariance)))

    @functools.cached_property
    def _root(self) -> Array:
        values, vectors = np.linalg.eigh(np.asarray(self.covariance))
        return vectors * np.sqrt(np.maximum(values, 0.0))

    @property
    def ndraw(self) -> int:
        """How many standard normal numbers a draw takes: p, and one that picks a sample."""
        return len(self.names) + (self.samples is not None)

    def interval(self, share: float = 0.95) -> Array:
        """Return the central interval that holds `share` of each parameter: (p, 2)."""
        from scipy.special import ndtri

        if self.samples is not None and self.samples.kernel == 0.0:
            limits = _quantiles(self.samples, (0.5 - share / 2, 0.5 + share / 2))
        else:
            reach = ndtri(0.5 + share / 2) * self.std[:, None] * np.array([-1.0, 1.0])
            limits = np.asarray(self.mean)[:, None] + reach
        return np.clip(limits, np.asarray(self.lower)[:, None], np.asarray(self.upper)[:, None])

    def draw(self, z: Array) -> Array:
        """Return parameters (n, p) from standard normal numbers `z` (n, ndraw)."""
        p = len(self.names)
        # a sum a row: a matrix product rounds differently for other numbers of rows
        spread = (z[:, None, :p] * self._root).sum(axis=-1)
        if self.samples is None:
            return np.clip(np.asarray(self.mean) + spread, self.lower, self.upper)
        return np.clip(self._resampled(self.samples, spread, z[:, p]), self.lower, self.upper)

    def _resampled(self, samples: Samples, spread: Array, z: Array) -> Array:
        """Return one sample each (n, p), picked by `z` (n,), blurred by its share of `spread`.

        With kernel width h, samples are drawn towards the mean by sqrt(1 - h²), so that the blur
        does not widen the whole: West 1993, Approximating posterior distributions by mixtures.
        """
        from scipy.special import ndtr

        edges = np.cumsum(samples.shares)[:-1]
        centres = samples.table[np.searchsorted(edges, ndtr(z), side="right")]
        if samples.kernel == 0.0:
            return centres
        shrink = np.sqrt(1.0 - samples.kernel**2)
        return np.asarray(self.mean) + shrink * (centres - self.mean) + samples.kernel * spread

    @classmethod
    def load(cls, path: Path) -> "Posterior":
        """Return the posterior in a TOML file; raises ConfigError or ParameterError."""
        return config.load(cls, path)

    def save(self, path: Path) -> None:
        """Write the posterior as TOML."""
        config.save(self, path)


def _check_samples(posterior: Posterior, samples: Samples) -> None:
    values, p = samples.table, len(posterior.names)
    if values.shape[1] != p:
        raise ParameterError(f"samples: rows of {values.shape[1]} numbers, but {p} names")
    outside = (values < posterior.lower) | (values > posterior.upper)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ParameterError(
            f"samples: row {row}: {posterior.names[column]} = {values[row, column]:g} lies outside"
            f" the bounds [{posterior.lower[column]:g}, {posterior.upper[column]:g}]"
        )
    if not np.allclose(samples.mean, posterior.mean, rtol=1e-6, atol=1e-6 * posterior.std.max()):
        raise ParameterError(
            f"samples: their mean is {samples.mean.tolist()}, but mean = {list(posterior.mean)}"
        )
    scale = 1e-6 * np.abs(samples.covariance).max()
    if not np.allclose(samples.covariance, posterior.covariance, rtol=1e-6, atol=scale):
        raise ParameterError(
            f"samples: their covariance is {samples.covariance.tolist()}, not what is given"
        )


def _quantiles(samples: Samples, shares: tuple[float, ...]) -> Array:
    """Return the values (p, k) below which `shares` (k,) of the samples' weight lies."""
    limits = []
    for column in samples.table.T:
        order = np.argsort(column)
        below = np.cumsum(samples.shares[order])
        places = np.searchsorted(below, shares)
        limits.append(column[order][np.minimum(places, len(column) - 1)])
    return np.array(limits)
