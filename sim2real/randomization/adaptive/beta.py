"""Products of beta distributions on [0, 1]: entropy, divergence and density, with gradients.

Shapes `a`, `b` (p,) are the parameters; gradients (2p,) are stacked as those of a, then of b.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def entropy(a: Array, b: Array) -> tuple[float, Array]:
    """Return the differential entropy [nat] and its gradient (2p,); 0 for the uniform one."""
    from scipy.special import betaln, polygamma, psi

    s = a + b
    value = betaln(a, b) - (a - 1) * psi(a) - (b - 1) * psi(b) + (s - 2) * psi(s)
    common = (s - 2) * polygamma(1, s)
    slope = [common - (a - 1) * polygamma(1, a), common - (b - 1) * polygamma(1, b)]
    return float(value.sum()), np.concatenate(slope)


def divergence(a: Array, b: Array, a0: Array, b0: Array) -> tuple[float, Array]:
    """Return KL(Beta(a, b) ‖ Beta(a0, b0)) [nat] and its gradient (2p,) in a and b."""
    from scipy.special import betaln, polygamma, psi

    da, db = a - a0, b - b0
    value = betaln(a0, b0) - betaln(a, b) + da * psi(a) + db * psi(b) - (da + db) * psi(a + b)
    common = (da + db) * polygamma(1, a + b)
    slope = [da * polygamma(1, a) - common, db * polygamma(1, b) - common]
    return float(value.sum()), np.concatenate(slope)


def log_density(x: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Return the logarithm of the density at `x` (n, p): (n,), and its gradient (n, 2p)."""
    from scipy.special import betaln, psi

    log_x, log_rest = np.log(x), np.log1p(-x)
    value = (a - 1) * log_x + (b - 1) * log_rest - betaln(a, b)
    rest = psi(a + b)
    return value.sum(axis=1), np.hstack([log_x - psi(a) + rest, log_rest - psi(b) + rest])
