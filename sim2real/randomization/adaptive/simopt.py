"""SimOpt: step by step towards worlds in which the simulation does what the target did."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from sim2real.errors import ConfigError, ParameterError
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive import gaussian
from sim2real.randomization.adaptive.algorithm import Adaptive, Array, Source, Success


@dataclass(frozen=True, kw_only=True)
class SimOptSettings:
    """Relative entropy policy search on the source distribution."""

    kl: float = 1.0
    """How far the distribution may move in an update [nat]."""
    l1: float = 0.5
    """Weight of absolute differences between trajectories."""
    l2: float = 1.0
    """Weight of squared differences."""
    smooth: float = 0.0
    """Standard deviation [samples] of the filter on differences: forgives small shifts in time."""

    def __post_init__(self) -> None:
        if not 0 < self.kl < math.inf:
            raise ConfigError(f"simopt: kl {self.kl} must be above 0, and finite")
        if min(self.l1, self.l2, self.smooth) < 0 or self.l1 + self.l2 == 0:
            raise ConfigError(
                "simopt: l1, l2 and smooth must not be negative, nor l1 and l2 both 0"
            )


def discrepancy(
    predicted: Array, measured: Array, scale: float | Array, settings: SimOptSettings
) -> Array:
    """Return how far each world's trajectories are from the target's (m,).

    The discrepancy of Chebotar et al. 2019, section III-C: l1 Σ|W Δ| + l2 Σ|W Δ|², Δ filtered.

    Args:
        predicted: trajectories of each world (m, ..., nsample, d).
        measured: those of the target (..., nsample, d).
        scale: 1 / W: a typical difference, of a shape that `measured` broadcasts with.
        settings: of SimOpt.
    """
    from scipy.ndimage import gaussian_filter1d

    difference = (predicted - measured) / scale
    if settings.smooth:
        difference = gaussian_filter1d(difference, settings.smooth, axis=-2)
    flat = difference.reshape(len(predicted), -1)
    return settings.l1 * np.abs(flat).sum(axis=1) + settings.l2 * (flat**2).sum(axis=1)


@final
class SimOpt(Adaptive):
    """SimOpt (Chebotar et al. 2019, arXiv:1810.05687, section III): a Gaussian, moved by REPS."""

    def __init__(self, prior: Posterior, settings: SimOptSettings):
        self.names, self._posterior, self._settings = prior.names, prior, settings
        self._discrepancy = np.nan

    @property
    def source(self) -> Source:  # noqa: D102
        return Source(posterior=self._posterior)

    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Take in worlds drawn from the source, and return the next one.

        Args:
            values: the worlds (n, p).
            returns: minus the discrepancy between each and the target (n,).
            success: not used.

        Raises:
            ParameterError: too few worlds for so small a step.
        """
        before = np.array(self._posterior.mean), np.array(self._posterior.covariance)
        moments = reps(*before, values, returns, self._settings.kl)
        self._discrepancy = -float(returns.mean())
        self._posterior = gaussian.moved(self._posterior, *moments, method="SimOpt")
        return self.source

    def metrics(self) -> dict[str, float]:
        """Return the mean discrepancy of the last worlds."""
        return {} if np.isnan(self._discrepancy) else {"discrepancy": self._discrepancy}

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"posterior": self._posterior, "discrepancy": self._discrepancy}

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._posterior, self._discrepancy = data["posterior"], data["discrepancy"]


def reps(
    mean: Array, covariance: Array, values: Array, returns: Array, kl: float
) -> tuple[Array, Array]:
    """Return mean (p,) and covariance (p, p) after a step of relative entropy policy search.

    Samples are weighted by exp(return / η), where η minimizes the dual of Peters et al. 2010,
    g(η) = η kl + η log mean exp(return / η); the Gaussian is their weighted maximum likelihood fit.
    Where that Gaussian would lie further than `kl` from the one before, η is raised until it does
    not: the bound holds for what is drawn from, and keeps the covariance from collapsing.

    Args:
        mean: of the Gaussian that `values` were drawn from (p,).
        covariance: its covariance (p, p).
        values: samples (n, p).
        returns: how good each is (n,).
        kl: the largest divergence of the new Gaussian from the old one [nat].

    Raises:
        ParameterError: even unweighted, so few samples lie further away than `kl`.
    """
    from scipy.optimize import brentq

    spread = float(returns.std())
    if spread == 0.0:
        return mean, covariance
    score = (returns - returns.max()) / spread

    def fitted(log_eta: float) -> tuple[Array, Array]:
        return gaussian.weighted_moments(values, gaussian.normalized(score * np.exp(-log_eta)))

    def excess(log_eta: float) -> float:
        return min(gaussian.divergence(*fitted(log_eta), mean, covariance), 1e6) - kl

    cool, hot = _dual_temperature(score, kl), 20.0
    if excess(cool) <= 0:
        return fitted(cool)
    if excess(hot) > 0:
        raise ParameterError(
            f"{len(values)} worlds are too few for {len(mean)} parameters and a step of {kl:g} nat:"
            " draw more, or allow a larger step"
        )
    enough: Any = brentq(excess, cool, hot, xtol=1e-6)
    return fitted(enough + 1e-6)  # on the safe side


def _dual_temperature(score: Array, kl: float) -> float:
    """Return log η at the minimum of the dual; `score` (n,) has its maximum at 0."""
    from scipy.optimize import minimize_scalar

    def dual(log_eta: float) -> float:
        eta = np.exp(log_eta)
        return eta * kl + eta * float(np.log(np.exp(score / eta).mean()))

    found: Any = minimize_scalar(dual, bounds=(-15.0, 15.0), method="bounded")
    return float(found.x)
