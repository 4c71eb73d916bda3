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
    a gap, nothing is left. What counts is the gain in likelihood: where the domains are told apart
    without a doubt, it is large, while the curvature that a standard error rests on vanishes
    (Hauck and Donner 1977).

    Args:
        logit: log-odds (n,) of transitions that were held out.
        label: 1 where the truth is yes, else 0, (n,).
        offset: log-odds that stay as they are, (n,).
    """
    factor = 1.0
    for _ in range(_TURNS):  # Newton's method: convex in one number
        p = 1.0 / (1.0 + np.exp(-np.clip(offset + factor * logit, -30.0, 30.0)))
        slope = float(np.mean((p - label) * logit))
        curvature = float(np.mean(p * (1.0 - p) * np.square(logit)))
        if curvature <= 1e-12:
            break
        step = float(np.clip(slope / curvature, -1.0, 1.0))
        factor = float(np.clip(factor - step, 0.0, _MOST))
        if abs(step) < 1e-4:
            break
    gain = 2.0 * (_surprise(offset, label) - _surprise(offset + factor * logit, label))
    return factor * (1.0 - _SURE**2 / gain) if gain > _SURE**2 else 0.0


def _surprise(log_odds: Array | float, label: Array) -> float:
    """Return minus the logarithm of the likelihood of labels [nat]."""
    return float(np.logaddexp(0.0, np.where(label > 0.5, -log_odds, log_odds)).sum())
