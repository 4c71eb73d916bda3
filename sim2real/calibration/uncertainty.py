"""How sure a fit is: correlated residuals, model error and differences between logs included.

(JᵀJ)⁻¹ alone would be the answer for white noise and a perfect model. On real logs it is several
times too sure, so blocks of windows are left out in turn, and logs are compared.
"""

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.fit import Fit
from sim2real.calibration.residual import Residual
from sim2real.calibration.windows import Windows

Array = NDArray[np.float64]

_BLOCK = 2.0
"""Windows that start within this time of each other are taken as dependent [s]."""
_ENOUGH = 0.4
"""Rise of the cost at one standard deviation that is taken for the 1 of a parabola."""


def within_logs(fit: Fit, windows: Windows) -> Array:
    """Return the covariance of the optimum in z (p, p), as told by blocks of windows.

    V = (G-1)/G Σ_b (Δ_b - Δ̄)(Δ_b - Δ̄)ᵀ + A⁻² with Δ_b = (A - H_b)⁻¹ g_b and A = H + I: the
    delete-one-block jackknife (Efron & Stein 1981, Busing et al. 1999) of the linearized fit, plus
    what the prior contributes; nowhere below A⁻¹, the covariance for independent noise.
    """
    p = len(fit.z)
    information = np.eye(p) + fit.information.sum(axis=0)
    blocks = _blocks(windows)
    without = [information - fit.information[rows].sum(axis=0) for rows in blocks]
    scores = [fit.score[rows].sum(axis=0) for rows in blocks]
    steps = np.array([np.linalg.solve(A, g) for A, g in zip(without, scores, strict=True)])
    steps -= steps.mean(axis=0)
    inverse = np.linalg.inv(information)
    count = len(blocks)
    jackknife = (count - 1) / count * steps.T @ steps + inverse @ inverse
    return _at_least(jackknife, information)


def widened_where_curved(fit: Fit, residual: Residual, covariance: Array) -> Array:
    """Return the covariance (p, p), wider in directions in which the cost rises too slowly.

    The covariance of a linearized fit is wrong at a kink (a torque limit that is just reached) or
    on a curved ridge. Along each principal direction of the linearized fit the cost must rise by
    about 1 within one standard deviation on both sides; where it does not, the deviation is
    doubled until it does, or until it is the prior's.
    """
    _, vectors = np.linalg.eigh(np.eye(len(fit.z)) + fit.information.sum(axis=0))
    for v, deviation in zip(vectors.T, _deviations(fit, vectors), strict=True):
        factor = 1.0
        rise = _slowest_rise(fit, residual, v * deviation)
        while rise < _ENOUGH and factor * deviation < 1.0:
            factor *= 2.0
            rise = _slowest_rise(fit, residual, v * deviation * factor)
        covariance = covariance + (factor**2 - 1) * (v @ covariance @ v) * np.outer(v, v)
    return covariance


def _deviations(fit: Fit, vectors: Array) -> Array:
    J = fit.information.sum(axis=0)
    return 1.0 / np.sqrt(1.0 + np.einsum("ij,ik,kj->j", vectors, J, vectors))


def _slowest_rise(fit: Fit, residual: Residual, step: Array) -> float:
    """Return the smaller rise of the cost over `step` (p,) forward and backward, within bounds."""
    low, high = residual.coordinates.z_bounds
    sides = [z for z in (fit.z + step, fit.z - step) if ((z >= low) & (z <= high)).all()]
    here = _cost(fit, residual, fit.z)
    return min((_cost(fit, residual, z) - here for z in sides), default=np.inf)


def _cost(fit: Fit, residual: Residual, z: Array) -> float:
    return float((fit.weighting.residual(residual, z) ** 2).sum() + z @ z)


def between_logs(fit: Fit, windows: Windows) -> Array:
    """Return the covariance of the parameters between logs in z (p, p), zero for a single log.

    The method of moments of a random effect: the spread of the logs' own optima about the pooled
    one, less the spread that their noise explains.
    """
    p, numbers = len(fit.z), np.unique(windows.log)
    if len(numbers) < 2:
        return np.zeros((p, p))
    spread, explained = np.zeros((p, p)), np.zeros((p, p))
    for number in numbers:
        rows = windows.log == number
        information = fit.information[rows].sum(axis=0)
        gain = np.linalg.inv(information + np.eye(p))
        step = gain @ fit.score[rows].sum(axis=0)
        spread += np.outer(step, step) / (len(numbers) - 1)
        explained += gain @ information @ gain / len(numbers)
    return _eigenvalues(spread - explained, 0.0, np.inf)


def capped_at_prior(covariance: Array) -> Array:
    """Return the covariance in z, in no direction wider than the prior's identity."""
    return _eigenvalues(covariance, 0.0, 1.0)


def _blocks(windows: Windows) -> list[NDArray[np.int64]]:
    keys = np.stack([windows.log, (windows.start // _BLOCK).astype(np.int64)], axis=1)
    _, block = np.unique(keys, axis=0, return_inverse=True)
    return [np.flatnonzero(block == i) for i in range(block.max() + 1)]


def _at_least(covariance: Array, information: Array) -> Array:
    """Return the covariance with no direction surer than the inverse of `information`."""
    L = np.linalg.cholesky(information)
    inverse = np.linalg.inv(L)
    return inverse.T @ _eigenvalues(L.T @ covariance @ L, 1.0, np.inf) @ inverse


def _eigenvalues(matrix: Array, low: float, high: float) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.clip(values, low, high)) @ vectors.T
