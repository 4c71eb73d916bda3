"""EPOpt: learn from the worst episodes, and weigh worlds by what the target robot did."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ConfigError, ParameterError
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive import gaussian
from sim2real.randomization.adaptive.algorithm import Adaptive, Array, Source, Success


@dataclass(frozen=True, kw_only=True)
class EPOptSettings:
    """Learning from the worst episodes (EPOpt-ε; Rajeswaran et al. 2017, Algorithm 1)."""

    epsilon: float = 0.1
    """Share of the episodes, those of the lowest returns, from which the policy learns."""
    burn_in: int = 500_000
    """Control steps at the start, in all environments together, that learn from all episodes."""

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise ConfigError(f"epopt: epsilon {self.epsilon} must lie in (0, 1]")
        if self.burn_in < 0:
            raise ConfigError(f"epopt: burn_in {self.burn_in} must not be negative")


def worst(returns: Array, epsilon: float) -> NDArray[np.bool_]:
    """Return which episodes lie at or below the ε-percentile of `returns` (n,)."""
    return returns <= np.quantile(returns, epsilon)


def log_likelihood(predicted: Array, measured: Array, noise: float | Array) -> Array:
    """Return log p(measured | world) of each world (m,), up to a constant.

    Measurements are normal around what a world predicts, each on its own.

    Args:
        predicted: what each world predicts (m, ...).
        measured: what the target did (...).
        noise: standard deviation of a measurement, of a shape that `measured` broadcasts with.
    """
    errors = ((predicted - measured) / noise).reshape(len(predicted), -1)
    return -0.5 * (errors**2).sum(axis=1)


@final
class EPOpt(Adaptive):
    """The source distribution given the target's data (Rajeswaran et al. 2017, section 3.2).

    Sampled worlds are weighted by the likelihood of the target's trajectories,
    P(p | τ) ∝ P(τ | p) P(p), and the next source has their mean and covariance. What was learned
    becomes the prior of what is observed next: each observation needs new target data, or the old
    count twice.
    """

    def __init__(self, prior: Posterior):
        self.names, self._posterior = prior.names, prior
        self._effective = np.nan

    @property
    def source(self) -> Source:  # noqa: D102
        return Source(posterior=self._posterior)

    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Weigh worlds drawn from the source, and return the next one.

        Args:
            values: the worlds (n, p).
            returns: log-likelihood of the target's data in each (n,), as of `log_likelihood`.
            success: not used.

        Raises:
            ParameterError: too few of the worlds come near the data to tell a covariance.
        """
        weights = gaussian.normalized(returns)
        self._effective = gaussian.effective_size(weights)
        if self._effective < len(self.names) + 1:
            raise ParameterError(
                f"the data single out {self._effective:.1f} of {len(values)} worlds: too few for"
                f" the covariance of {len(self.names)} parameters; draw more worlds, use less data"
                " at a time, or state a larger noise"
            )
        moments = gaussian.weighted_moments(values, weights)
        self._posterior = gaussian.moved(self._posterior, *moments, method="EPOpt")
        return self.source

    def metrics(self) -> dict[str, float]:
        """Return how many equally likely worlds the last weights were worth."""
        return {} if np.isnan(self._effective) else {"effective_worlds": self._effective}

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"posterior": self._posterior, "effective": self._effective}

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._posterior, self._effective = data["posterior"], data["effective"]
