"""A joint distribution of parameters, as a calibration returns it and training draws it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.errors import ParameterError
from sim2real.parameters.names import ParameterName


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """A normal distribution over `p` parameters, cut to the bounds in which they are physical.

    Values are absolute, in SI units, in the order of `names`.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    origin: dict[str, Any]
    """Where it came from: robot, logs with their hashes, versions, errors on held-out windows."""

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

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviations (p,)."""
        return np.sqrt(np.diag(np.asarray(self.covariance)))

    def interval(self, share: float = 0.95) -> NDArray[np.float64]:
        """Return the central interval that holds `share` of each parameter: (p, 2)."""
        from scipy.special import ndtri

        reach = ndtri(0.5 + share / 2) * self.std[:, None] * np.array([-1.0, 1.0])
        limits = np.asarray(self.mean)[:, None] + reach
        return np.clip(limits, np.asarray(self.lower)[:, None], np.asarray(self.upper)[:, None])

    def draw(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return parameters (n, p) from standard normal numbers `z` (n, p)."""
        values, vectors = np.linalg.eigh(np.asarray(self.covariance))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.clip(np.asarray(self.mean) + z @ root.T, self.lower, self.upper)

    @classmethod
    def load(cls, path: Path) -> "Posterior":
        """Return the posterior in a TOML file; raises ConfigError or ParameterError."""
        return config.load(cls, path)

    def save(self, path: Path) -> None:
        """Write the posterior as TOML."""
        config.save(self, path)
