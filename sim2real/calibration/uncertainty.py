"""How sure a fit is: correlated residuals, model error and differences between logs included.

(JᵀJ)⁻¹ alone would be the answer for white noise and a perfect model. On real logs it is several
times too sure, so blocks of windows are left out in turn, and logs are compared. A few blocks or
logs differ by chance, too: only what exceeds that counts (`_beyond_chance`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.fit import Fit
from sim2real.calibration.windows import Windows

Array = NDArray[np.float64]

BLOCK = 2.0
"""Windows that start within this time of each other are taken as dependent [s]."""


def within_logs(fit: Fit, windows: Windows) -> Array:
    """Return the covariance of the optimum in z (p, p), as told by blocks of windows.

    V = (G-1)/G Σ_b (Δ_b - Δ̄)(Δ_b - Δ̄)ᵀ + A⁻² with Δ_b = (A - H_b)⁻¹ g_b and A = H + I: the
    delete-one-block jackknife (Efron & Stein 1981, Busing et al. 1999) of the linearized fit, plus
    what the prior contributes. It counts where it is beyond chance wider than A⁻¹, the covariance
    for independent noise.
    """
    p = len(fit.z)
    information = np.eye(p) + fit.information.sum(axis=0)
    parts = blocks(windows)
    without = [information - fit.information[rows].sum(axis=0) for rows in parts]
    scores = [fit.score[rows].sum(axis=0) for rows in parts]
    steps = np.array([np.linalg.solve(A, g) for A, g in zip(without, scores, strict=True)])
    steps -= steps.mean(axis=0)
    inverse = np.linalg.inv(information)
    count = len(parts)
    jackknife = (count - 1) / count * steps.T @ steps + inverse @ inverse
    root = np.linalg.inv(np.linalg.cholesky(information)).T.astype(np.float64)
    return _compared(jackknife, root, lambda values: _beyond_chance(values, count - 1))


def between_logs(fit: Fit, windows: Windows) -> Array:
    """Return the covariance of the parameters between logs in z (p, p), zero for a single log.

    The method of moments of a random effect: the spread of the logs' own optima about the pooled
    one, less the spread that their noise explains, where it is beyond chance wider.
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
    root = np.linalg.cholesky(explained + 1e-15 * np.eye(p)).astype(np.float64)
    return _compared(spread, root, lambda values: _beyond_chance(values, len(numbers) - 1) - 1.0)


def capped_at_prior(covariance: Array) -> Array:
    """Return the covariance in z, in no direction wider than the prior's identity."""
    return _eigenvalues(covariance, 0.0, 1.0)


def blocks(windows: Windows) -> list[NDArray[np.int64]]:
    """Return the rows of the windows that are taken as dependent, block by block."""
    keys = np.stack([windows.log, (windows.start // BLOCK).astype(np.int64)], axis=1)
    _, block = np.unique(keys, axis=0, return_inverse=True)
    return [np.flatnonzero(block == i) for i in range(block.max() + 1)]


def _compared(covariance: Array, root: Array, change: Callable[[Array], Array]) -> Array:
    """Return a covariance whose eigenvalues in units of root rootᵀ are changed."""
    inverse = np.linalg.inv(root)
    whitened = inverse @ covariance @ inverse.T
    values, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
    return root @ (vectors * change(values)) @ vectors.T @ root.T


def _beyond_chance(values: Array, count: int) -> Array:
    """Return what eigenvalues (p,) of a sample covariance of `count` draws say of the true ones.

    If all are 1, those of the sample reach (1 + √γ)² with γ = p / count (Marchenko & Pastur 1967);
    larger ones are too large by what that adds (Donoho, Gavish & Johnstone 2018, optimal shrinkage
    in the spiked covariance model, section 1).
    """
    ratio = len(values) / max(1, count)
    half = 0.5 * (values + 1.0 - ratio)
    true = half + np.sqrt(np.maximum(half**2 - values, 0.0))
    return np.where(values > (1.0 + np.sqrt(ratio)) ** 2, true, 1.0)


def _eigenvalues(matrix: Array, low: float, high: float) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.clip(values, low, high)) @ vectors.T
