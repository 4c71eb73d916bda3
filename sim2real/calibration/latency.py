"""How much later a robot moves than its model without delays: a first guess by cross-correlation.

The model is run with its shortest delays, so that what a servo's own dynamics take is no delay.
"""

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.residual import Residual

Array = NDArray[np.float64]

_LONGEST = 0.1
"""Lags that are looked at [s]."""


def lags(residual: Residual, z: Array, step: float) -> Array:
    """Return by how much each compared joint lags behind the model at z (ncompared,) [s].

    Args:
        residual: of the windows.
        z: the unknowns without delays (p,).
        step: time between samples [s].
    """
    n, size = residual.windows.covariance.shape[:2]
    measured = residual.windows.measured
    predicted = residual(z, np.zeros((n, size))).reshape(measured.shape) + measured
    speeds = np.diff(predicted, axis=1), np.diff(measured, axis=1)
    most = min(round(_LONGEST / step), measured.shape[1] // 3)
    return np.array(
        [_lag(speeds[0][..., i], speeds[1][..., i], most) * step for i in range(measured.shape[2])]
    )


def _lag(predicted: Array, measured: Array, most: int) -> float:
    """Return the lag in samples, refined by a parabola through the peak's neighbours."""
    score = np.array([_correlation(predicted, measured, lag) for lag in range(-1, most + 2)])
    peak = 1 + int(np.argmax(score[1:-1]))
    left, middle, right = score[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return max(0.0, peak - 1 + float(np.clip(shift, -0.5, 0.5)))


def _correlation(predicted: Array, measured: Array, lag: int) -> float:
    late = measured[:, max(0, lag) : measured.shape[1] + min(0, lag)]
    early = predicted[:, max(0, -lag) : predicted.shape[1] - max(0, lag)]
    size = np.sqrt((late**2).sum() * (early**2).sum())
    return float((late * early).sum() / max(float(size), 1e-300))


def with_lags(residual: Residual, z: Array, found: Array) -> Array:
    """Return z (p,) with the delays of the compared joints' actuators set to their lags."""
    coordinates, names = residual.coordinates, residual.compared
    values = coordinates.values(z)
    for i, name in enumerate(coordinates.names):
        for joint, lag in zip(names, found, strict=True):
            if name == f"actuator.{joint}.delay":
                values[i] = np.clip(lag, coordinates.lower[i], coordinates.upper[i])
    return coordinates.z(values)
