"""The maximum a posteriori fit: bounded least squares over batched rollouts.

minimize over z:  Σ |weighted residual of a window|² + |z|²  within bounds
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sim2real.calibration.residual import Residual
from sim2real.calibration.weighting import Weighting

Array = NDArray[np.float64]

_ROUNDS = 8
_SETTLED = 0.2
"""The rounds end when z moves by less than this many of its standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The optimum and what the logs say about it."""

    z: Array
    """The optimum (p,)."""
    information: Array
    """JᵀJ of each window (n, p, p), in units of the prior's information."""
    score: Array
    """Jᵀr of each window (n, p)."""
    weighting: Weighting
    rounds: int


def fit(
    residual: Residual, *, seed: int, start: Array | None = None, hint: Array | None = None
) -> Fit:
    """Return the fit of the parameters to the windows.

    Start states, noise and outliers are estimated at the optimum of the round before, until the
    parameters settle.

    Args:
        residual: what is minimized.
        seed: of the starting points.
        start: where to start instead, z (p,).
        hint: one more starting point to look at, z (p,).
    """
    z = _best_start(residual, seed, hint) if start is None else start
    weighting, rounds, moved = Weighting.first(residual, z), 0, np.inf
    while moved > _SETTLED and rounds < _ROUNDS:
        previous, z = z, _solve(residual, weighting, z)
        weighting = weighting.rescaled(residual, z).relinearized(residual, z)
        J = weighting.jacobian(residual, z).reshape(-1, len(z))
        moved = float(np.linalg.norm(np.append(J @ (z - previous), z - previous)))
        rounds += 1
    r, J = weighting.residual(residual, z), weighting.jacobian(residual, z)
    return Fit(
        z=z,
        information=np.einsum("ndp,ndq->npq", J, J),
        score=np.einsum("ndp,nd->np", J, r),
        weighting=weighting,
        rounds=rounds,
    )


def _best_start(residual: Residual, seed: int, hint: Array | None) -> Array:
    """Return the best of nominal values, hint, the prior's centre and draws, in one rollout."""
    coordinates = residual.coordinates
    low, high = coordinates.z_bounds
    draws = np.random.default_rng(seed).standard_normal((14, len(low)))
    nominal = coordinates.z(np.clip(coordinates.nominal, coordinates.lower, coordinates.upper))
    hints = nominal if hint is None else np.vstack([nominal, hint])
    starts = np.clip(np.vstack([hints, np.zeros(len(low)), draws]), low, high)
    n, size = residual.windows.covariance.shape[:2]
    e = residual.many(starts, np.zeros((n, size)))
    return starts[np.argmin(np.median((e**2).mean(axis=2), axis=1))]


def _solve(residual: Residual, weighting: Weighting, z: Array) -> Array:
    low, high = residual.coordinates.z_bounds
    margin = 1e-6 * np.minimum(high - low, 1.0)

    def rows(z: Array) -> Array:
        return np.concatenate([weighting.residual(residual, z).ravel(), z])

    def jacobian(z: Array) -> Array:
        J = weighting.jacobian(residual, z)
        return np.vstack([J.reshape(-1, len(z)), np.eye(len(z))])

    found = least_squares(
        rows,
        np.clip(z, low + margin, high - margin),
        jacobian,  # type: ignore[arg-type]
        bounds=(low, high),
        xtol=1e-3,
        ftol=1e-3,
        max_nfev=6,
    )
    return found.x
