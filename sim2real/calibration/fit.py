"""The maximum a posteriori fit: bounded least squares over batched rollouts.

minimize over z:  Σ |weighted residual of a window|² + |z|²  within bounds

by Gauss-Newton steps in a trust region (Conn, Gould & Toint 2000). Noise and outliers are estimated
anew after each step, and start states move with it: none waits until the others have converged.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from sim2real.calibration.progress import UNTOLD, Progress
from sim2real.calibration.residual import Residual
from sim2real.calibration.weighting import Weighting

Array = NDArray[np.float64]

_STEPS = 40
_SETTLED = 0.2
"""The fit ends when z would move by less than this many of its standard deviations."""
_RADIUS, _SMALLEST = 1.0, 5e-3
"""Trust region at first and at last, in standard deviations of the prior and of start states."""


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
    steps: int


@dataclass(frozen=True, kw_only=True)
class _Point:
    """Where the descent is: z (p,), residuals (n, d) and their slope (n, d, p)."""

    z: Array
    weighting: Weighting
    e: Array
    J: Array

    @property
    def cost(self) -> float:
        return self.weighting.misfit(self.e) + float(self.z @ self.z)


def fit(residual: Residual, start: Array, progress: Progress = UNTOLD) -> Fit:
    """Return the optimum that is reached from `start`, z (p,)."""
    low, high = residual.coordinates.z_bounds
    z = np.clip(start, low, high)
    here, radius, steps = _point(residual, Weighting.first(residual, z), z), _RADIUS, 0
    while radius > _SMALLEST and steps < _STEPS:
        progress.step(steps)
        information, score = _slopes(here)
        H, g = np.eye(len(z)) + information.sum(axis=0), here.z + score.sum(axis=0)
        box = np.maximum(low - here.z, -radius), np.minimum(high - here.z, radius)
        dz = _bounded_newton(H, g, box)
        if steps and dz @ H @ dz < _SETTLED**2 and np.abs(dz).max() < radius:
            break
        there, expected = _moved(residual, here, dz, radius)
        ratio = (here.cost - there.cost) / max(here.cost - expected, 1e-300)
        radius = _next_radius(radius, ratio, dz)
        here = _point(residual, there.weighting, there.z) if ratio > 0 else here
        steps += 1
    information, score = _slopes(here)
    return Fit(
        z=here.z, information=information, score=score, weighting=here.weighting, steps=steps
    )


def _point(residual: Residual, weighting: Weighting, z: Array) -> _Point:
    """Return z with weights and slopes as they are there."""
    e = residual(z, weighting.offset)
    weighting = weighting.relinearized(residual, z).rescaled(residual, e)
    return _Point(z=z, weighting=weighting, e=e, J=residual.jacobian(z, weighting.offset))


def _slopes(point: _Point) -> tuple[Array, Array]:
    """Return JᵀJ (n, p, p) and Jᵀr (n, p) of the weighted residuals of each window."""
    J = point.weighting.weighed(point.J)
    r = point.weighting.weighed(point.e - point.weighting.shift)
    return J.transpose(0, 2, 1) @ J, (J.transpose(0, 2, 1) @ r[..., None])[..., 0]


def _bounded_newton(H: Array, g: Array, box: tuple[Array, Array]) -> Array:
    """Return the minimum (p,) of dᵀHd / 2 + gᵀd within a box."""
    L = np.linalg.cholesky(H)
    return lsq_linear(L.T, -np.linalg.solve(L, g), box, method="bvls").x


def _moved(residual: Residual, here: _Point, dz: Array, radius: float) -> tuple[_Point, float]:
    """Return the point after a step, with the slopes of before, and the cost expected there."""
    z, old = here.z + dz, here.weighting
    linear = here.e - old.shift + here.J @ dz
    du = np.clip(old.started(linear) - old.start, -radius, radius)
    there = _Point(z=z, weighting=replace(old, start=old.start + du), e=here.e, J=here.J)
    expected = replace(there, e=linear + there.weighting.shift).cost
    return replace(there, e=residual(z, there.weighting.offset)), expected


def _next_radius(radius: float, ratio: float, dz: Array) -> float:
    """Return the trust region after a step that gained `ratio` of what was expected."""
    if ratio < 0.25:
        return 0.25 * float(np.abs(dz).max())
    return 2.0 * radius if ratio > 0.75 else radius
