"""The state of a joint at a moment, from noisy and quantized positions on both sides of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DEGREE = 3


@dataclass(frozen=True)
class State:
    """Positions and velocities of `n` joints, and how sure they are."""

    position: Array
    velocity: Array
    covariance: Array
    """(2, 2) of (position, velocity) for a position noise of variance 1."""
    noise: Array
    """Variance of the positions about the polynomial (n,)."""


def local_state(time: Array, position: Array) -> State:
    """Return the state at time 0 from a local cubic fit (Savitzky & Golay 1964, uneven stamps).

    The window is symmetric, so the estimate has no lag, and a straight fit over many samples
    averages quantization steps out.

    Args:
        time: stamps about the moment (k,) [s], with 0 among them.
        position: (k, njoint).
    """
    scale = np.abs(time).max()
    degree = min(_DEGREE, len(time) - 2)
    powers = np.vander(time / scale, degree + 1, increasing=True)
    inverse = np.linalg.pinv(powers)
    coefficients = inverse @ position
    residual = position - powers @ coefficients
    noise = (residual**2).sum(axis=0) / max(1, len(time) - degree - 1)
    units = np.diag([1.0, 1.0 / scale])
    covariance = units @ (inverse @ inverse.T)[:2, :2] @ units
    return State(coefficients[0], coefficients[1] / scale, covariance, noise)


def resting_state(position: Array) -> State:
    """Return the state of joints that stand still, from positions (k, njoint)."""
    n, noise = len(position), position.var(axis=0)
    covariance = np.diag([1.0 / n, 0.0])
    return State(position.mean(axis=0), np.zeros(position.shape[1]), covariance, noise)
