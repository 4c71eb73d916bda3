"""DROPO: the distribution of worlds under which logged transitions are most likely."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from sim2real.errors import ConfigError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive import gaussian
from sim2real.randomization.adaptive.algorithm import Array
from sim2real.randomization.adaptive.box import Box

_STEP = 1e-5
"""Finite difference, as a share of the box or of an order of magnitude."""

Predict = Callable[[Array], Array]
"""Worlds (m, p) → where each ends up after every logged transition (m, n, d)."""


@dataclass(frozen=True, kw_only=True)
class DROPOSettings:
    """Domain randomization off-policy optimization."""

    epsilon: float = 1e-3
    """Variance that the simulation can never explain, in units of `scale` squared."""
    worlds: int = 50
    """How many worlds tell the distribution of a transition."""
    generations: int = 40
    """Of the differential evolution that looks for the maximum."""
    population: int = 10
    """Its candidates, per parameter."""

    def __post_init__(self) -> None:
        if not self.epsilon > 0:
            raise ConfigError(f"dropo: epsilon {self.epsilon} must be above 0")
        if self.worlds < 3 or self.generations < 1 or self.population < 2:
            raise ConfigError("dropo: needs 3 worlds, 1 generation and a population of 2 at least")


def log_likelihood(predicted: Array, measured: Array, epsilon: float) -> float:
    """Return the log-likelihood of measured next states (n, d) under sampled worlds.

    Each transition's is normal, with the mean and covariance of what the worlds predict for it
    (m, n, d), and `epsilon` added to the variances (Tiboni et al. 2023, section 4.2).
    """
    m, _, d = predicted.shape
    center = predicted.mean(axis=0)
    spread = np.moveaxis(predicted - center, 1, 0)
    covariance = np.swapaxes(spread, 1, 2) @ spread / (m - 1) + epsilon * np.eye(d)
    error = (measured - center)[..., None]
    distance = (error * np.linalg.solve(covariance, error)).sum()
    log_det = np.linalg.slogdet(covariance)[1].sum()
    return float(-0.5 * (distance + log_det + len(measured) * d * np.log(2 * np.pi)))


@final
class DROPO:
    """DROPO (Tiboni et al. 2023, arXiv:2201.08434): one fit to logged transitions, no iterations.

    Parameters are independent and normal; their means and standard deviations maximize the
    likelihood. The same standard normal numbers make the worlds of every candidate, so that the
    likelihood is a smooth function of it: differential evolution looks for the maximum (the paper
    uses CMA-ES), a quasi-Newton search ends on it.
    """

    def __init__(self, box: Box, settings: DROPOSettings, *, seed: int = 0):
        self._box, self._settings, self._seed = box, settings, seed
        self._z = _standard_normal(seed, settings.worlds, len(box.names))

    def fit(self, predict: Predict, measured: Array, scale: float | Array = 1.0) -> Posterior:
        """Return the distribution under which `measured` (n, d) is most likely.

        Args:
            predict: simulates every logged transition in given worlds.
            measured: the states in which the transitions ended (n, d).
            scale: typical size of a measured number, of a shape that `measured` broadcasts with.
        """
        from scipy.optimize import differential_evolution, minimize

        def many(candidates: Array) -> Array:  # (2p, m) → (m,)
            worlds = np.stack([self._worlds(each) for each in candidates.T])
            predicted = predict(worlds.reshape(-1, worlds.shape[-1])) / scale
            each = predicted.reshape(*worlds.shape[:2], *predicted.shape[1:])
            target, epsilon = measured / scale, self._settings.epsilon
            return np.array([-log_likelihood(part, target, epsilon) for part in each])

        p = len(self._box.names)
        # means within the box; deviations from a thousandth to a quarter of it, as orders
        bounds = [(0.0, 1.0)] * p + [(np.log(1e-3), np.log(0.25))] * p
        found = differential_evolution(
            many,
            bounds,
            maxiter=self._settings.generations,
            popsize=max(1, self._settings.population // 2),  # of 2p numbers
            vectorized=True,
            updating="deferred",
            polish=False,
            rng=np.random.default_rng(randomness.integer_seed(self._seed, "dropo")),
        )

        def slope(phi: Array) -> tuple[float, Array]:
            steps = np.where(phi + _STEP > np.array(bounds)[:, 1], -_STEP, _STEP)
            here, *there = many(np.column_stack([phi, phi[:, None] + np.diag(steps)]))
            return here, (np.array(there) - here) / steps

        polished = minimize(
            slope, found.x, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 20}
        )
        best = polished.x if polished.fun < found.fun else found.x
        mean, std = self._moments(best)
        prior = gaussian.around_nominal(self._box)
        return gaussian.moved(prior, mean, np.diag(std**2), method="DROPO")

    def _moments(self, phi: Array) -> tuple[Array, Array]:
        mean, log_std = np.split(phi, 2)
        return self._box.low + mean * self._box.width, np.exp(log_std) * self._box.width

    def _worlds(self, phi: Array) -> Array:
        mean, std = self._moments(phi)
        return np.clip(mean + std * self._z, self._box.low, self._box.high)


def _standard_normal(seed: int, n: int, p: int) -> Array:
    """Return numbers (n, p) whose mean is exactly 0 and whose covariance exactly the identity."""
    z = randomness.normal(seed, "dropo", np.arange(n), size=p)
    z = z - z.mean(axis=0)
    if n <= p:
        return z / z.std(axis=0, ddof=1)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(z, rowvar=False)))
    return np.linalg.solve(root, z.T).T
