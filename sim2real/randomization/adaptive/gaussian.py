"""Gaussians over parameters: the moments of weighted samples, and how far two are apart."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive.box import Box

Array = NDArray[np.float64]


def around_nominal(box: Box, *, spread: float = 0.25) -> Posterior:
    """Return a normal distribution at the nominal values, cut to the box.

    Its standard deviations are `spread` times the widths of the box.
    """
    return Posterior(
        names=box.names,
        mean=tuple(map(float, box.nominal)),
        covariance=_rows(np.diag((spread * box.width) ** 2)),
        lower=tuple(map(float, box.low)),
        upper=tuple(map(float, box.high)),
        origin={},
    )


def moved(posterior: Posterior, mean: Array, covariance: Array, **origin: Any) -> Posterior:
    """Return `posterior` with another mean (p,) and covariance (p, p)."""
    inside = np.clip(mean, posterior.lower, posterior.upper)
    return replace(
        posterior,
        mean=tuple(map(float, inside)),
        covariance=_rows(covariance),
        origin=posterior.origin | origin,
    )


def weighted_moments(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return mean (p,) and covariance (p, p) of values (n, p) with weights (n,) that sum to 1."""
    mean = weights @ values
    centered = values - mean
    covariance = (weights[:, None] * centered).T @ centered
    return mean, 0.5 * (covariance + covariance.T)


def normalized(log_weights: Array) -> Array:
    """Return weights (n,) that sum to 1, from their logarithms."""
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def effective_size(weights: Array) -> float:
    """Return how many equally weighted samples weigh as much as these: 1 / Σ w²."""
    return float(1.0 / (weights**2).sum())


def divergence(mean: Array, covariance: Array, mean0: Array, covariance0: Array) -> float:
    """Return KL(N(mean, covariance) ‖ N(mean0, covariance0)) [nat]; infinite if one is flat."""
    scale = 1.0 / np.sqrt(np.diag(covariance0))  # else kilograms beside micrometres lose digits
    here, there = covariance * np.outer(scale, scale), covariance0 * np.outer(scale, scale)
    sign, log_det = np.linalg.slogdet(here)
    sign0, log_det0 = np.linalg.slogdet(there)
    if sign <= 0 or sign0 <= 0:
        return np.inf
    shift = scale * (mean - mean0)
    spread = np.trace(np.linalg.solve(there, here)) - len(mean)
    return float(0.5 * (spread + shift @ np.linalg.solve(there, shift) + log_det0 - log_det))


def _rows(matrix: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(map(float, row)) for row in matrix)
