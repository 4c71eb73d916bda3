"""How sure a fit is: correlated residuals, model error and differences between logs included.

(JᵀJ)⁻¹ alone would be the answer for white noise and a perfect model. On real logs it is several
times too sure, so blocks of windows are left out in turn, and logs are compared.
"""

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.fit import Fit
from sim2real.calibration.windows import Windows

Array = NDArray[np.float64]

_BLOCK = 2.0
"""Windows that start within this time of each other are taken as dependent [s]."""


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
