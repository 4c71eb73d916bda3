"""Logits that mean what they say: their scale, from transitions that were held out."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_MOST = 10.0
_TURNS = 30
_SURE = 2.5


def temperature(logit: Array, label: Array, offset: Array | float = 0.0) -> float:
    """Return the factor t ≥ 0 under which `offset + t logit` is most likely (Guo et al. 2017).

    The inverse of a temperature: 0 says that the logits tell nothing. It is shrunk by as much as
    chance alone would make of it (James and Stein 1961), to 0 below _SURE standard errors: without
    a gap, nothing is left.

    Args:
        logit: log-odds (n,) of transitions that were held out.
        label: 1 where the truth is yes, else 0, (n,).
        offset: log-odds that stay as they are, (n,).
    """
    factor, curvature = 1.0, 0.0
    for _ in range(_TURNS):  # Newton's method: convex in one number
        p = 1.0 / (1.0 + np.exp(-np.clip(offset + factor * logit, -30.0, 30.0)))
        slope = float(np.mean((p - label) * logit))
        curvature = float(np.mean(p * (1.0 - p) * np.square(logit)))
        if curvature <= 1e-12:
            return 0.0
        step = float(np.clip(slope / curvature, -1.0, 1.0))
        factor = float(np.clip(factor - step, 0.0, _MOST))
        if abs(step) < 1e-4:
            break
    error = _SURE**2 / (len(logit) * curvature)
    return factor * max(0.0, 1.0 - error / factor**2) if factor > 0.0 else 0.0
