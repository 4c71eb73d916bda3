"""How much wider a posterior must be to hold logs that it was not fitted to.

A posterior is as wide as its own logs differ. Of few logs that is too little for the next one.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from sim2real.calibration.residual import Residual

Array = NDArray[np.float64]

_MOST = 1e6


def widening(residual: Residual, z: Array, covariance: Array) -> float:
    """Return the factor, at least 1, of a covariance under which logs are most likely.

    To first order a window varies by k J Σ Jᵀ with the parameters and by its sensors' noise; what
    its start state can do, along J₀, is left out of the comparison. Its mean square error w is then
    likely as 1/√v exp(-w / 2v), with v the mean variance: an empirical Bayes estimate of k (Efron
    & Morris 1973). Windows that the parameters hardly move have no say.

    Args:
        residual: of logs that were held out.
        z: the optimum (p,).
        covariance: Σ, of the unknowns in z (p, p).
    """
    windows = residual.windows
    still = np.zeros(windows.covariance.shape[:2])
    started = np.linalg.qr(residual.start_jacobian(z, still)).Q
    e = _without(started, residual(z, still)[..., None])
    J = _without(started, residual.jacobian(z, still))
    wrong = (e**2).mean(axis=(1, 2))
    own = np.einsum("ndp,pq,ndq->n", J, covariance, J) / J.shape[1]
    noise = windows.noise.mean(axis=1)

    def unlikeliness(log_factor: float) -> float:
        v = np.exp(log_factor) * own + noise
        return float((np.log(v) + wrong / v).sum())

    best = minimize_scalar(unlikeliness, bounds=(0.0, np.log(_MOST)), method="bounded")
    return float(np.exp(best.x)) if best.fun < unlikeliness(0.0) else 1.0  # type: ignore


def _without(basis: Array, columns: Array) -> Array:
    """Return columns (n, d, m) less their parts along an orthonormal basis (n, d, k)."""
    return columns - basis @ (basis.transpose(0, 2, 1) @ columns)
