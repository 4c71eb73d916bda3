"""How the residuals of windows are weighed: uncertain start states, outliers, correlated noise.

A window's residual at a start state x₀ is e = predicted - measured. With the start estimated from
the log at x₀ - δ, with covariance S₀, and J₀ the residual's sensitivity to it,

    e - J₀ δ ~ N(0, σ² I + J₀ S₀ J₀ᵀ),

the marginal likelihood of a linear Gaussian model: the start states are estimated together with
the parameters, and eliminated (variable projection, Golub & Pereyra 1973). δ follows from round
to round as the conditional mean, which is an iterated Kalman update (Bell & Cathey 1993).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.residual import Residual

Array = NDArray[np.float64]

_OUTLIER = 3.0
"""Windows whose residual is this many times the median one count less (a hand, a collision)."""


@dataclass(frozen=True, kw_only=True)
class Weighting:
    """Weights of `n` windows' residuals, linearized at a start state."""

    offset: Array
    """δ, added to the start states estimated from the log (n, 2 njoint)."""
    shift: Array
    """J₀ δ (n, d)."""
    basis: Array
    """Directions in which the start state moves the residual (n, d, 2 njoint)."""
    shrink: Array
    """What is taken away along each of them (n, 2 njoint), in [0, 1)."""
    window: Array
    """Robust weights (n,) in (0, 1]."""
    noise: float
    """σ, the scale of the whitened residuals [rad]."""
    redundancy: float
    """Samples that tell as much as one independent sample of a true model, at least 1."""

    @classmethod
    def first(cls, residual: Residual, z: Array) -> "Weighting":
        """Return the weighting to start with, from the residual at z (p,)."""
        n, size = residual.windows.covariance.shape[:2]
        e = residual(z, np.zeros((n, size)))
        return cls(
            offset=np.zeros((n, size)),
            shift=np.zeros_like(e),
            basis=np.zeros((*e.shape, size)),
            shrink=np.zeros((n, size)),
            window=np.ones(n),
            noise=max(_floor(residual), float(np.sqrt(np.median(e**2)))),
            redundancy=1.0,
        ).relinearized(residual, z)

    def relinearized(self, residual: Residual, z: Array) -> "Weighting":
        """Return the weighting at z (p,) with new start states."""
        J, basis, s, step = self._sensitivity(residual, z)
        e = residual(z, self.offset) - _times(J, self.offset)
        along = _times(basis.transpose(0, 2, 1), e / self.noise)
        moved = replace(self, offset=-_times(step, s / (1 + s**2) * along))
        J, basis, s, _ = moved._sensitivity(residual, z)
        shrink = 1.0 - 1.0 / np.sqrt(1.0 + s**2)
        return replace(moved, shift=_times(J, moved.offset), basis=basis, shrink=shrink)

    def _sensitivity(self, residual: Residual, z: Array) -> tuple[Array, Array, Array, Array]:
        """Return J₀, the singular vectors and values of J₀ S₀^½ / σ, and S₀^½ times its V."""
        covariance = residual.windows.covariance
        root = np.linalg.cholesky(covariance + 1e-18 * np.eye(covariance.shape[-1]))
        J = residual.start_jacobian(z, self.offset)
        basis, s, Vt = np.linalg.svd(J @ root / self.noise, full_matrices=False)
        return J, basis, s, (root @ Vt.transpose(0, 2, 1)).astype(np.float64)

    def rescaled(self, residual: Residual, z: Array) -> "Weighting":
        """Return the weighting with noise, outliers and redundancy as seen at z (p,).

        A model that is wrong by a share ε of the motion m, in the same way in every window, can
        look like a change of parameters that no number of windows averages out. Its weight in
        units of the noise, ε² Σ |W m|² / σ², adds to the autocorrelation's.
        """
        r = self._whitened(residual(z, self.offset) - self.shift)
        floor = _floor(residual)
        per_window = np.sqrt((r**2).mean(axis=1))
        limit = _OUTLIER * max(float(np.median(per_window)), floor)
        window = np.minimum(1.0, limit / np.maximum(per_window, 1e-300)) ** 2
        noise = max(float(np.sqrt(np.average(per_window**2, weights=window))), floor / 2)
        motion = self._whitened(residual.motion) * (residual.model_error / noise)
        correlation = _correlation(r.reshape(residual.windows.measured.shape))
        redundancy = correlation + float(window @ (motion**2).sum(axis=1))
        return replace(self, window=window, noise=noise, redundancy=redundancy)

    def residual(self, residual: Residual, z: Array) -> Array:
        """Return weighted residuals (n, d) at z (p,), in units of the prior's."""
        return self._scaled(residual(z, self.offset) - self.shift)

    def jacobian(self, residual: Residual, z: Array) -> Array:
        """Return the derivative (n, d, p) of `residual`."""
        return self._scaled(residual.jacobian(z, self.offset))

    def _scaled(self, values: Array) -> Array:
        scale = np.sqrt(self.window / self.redundancy) / self.noise
        return self._whitened(values) * scale.reshape(-1, *(1,) * (values.ndim - 1))

    def _whitened(self, values: Array) -> Array:
        """Return (I + J₀ S₀ J₀ᵀ / σ²)^(-1/2) times values (n, d, ...)."""
        flat = values.reshape(*values.shape[:2], -1)
        along = self.basis.transpose(0, 2, 1) @ flat
        return (flat - self.basis @ (self.shrink[..., None] * along)).reshape(values.shape)


def _times(matrices: Array, vectors: Array) -> Array:
    return (matrices @ vectors[..., None])[..., 0]


def _floor(residual: Residual) -> float:
    """Return the noise of the positions themselves [rad]."""
    return float(np.sqrt(residual.windows.noise.mean()))


def _correlation(series: Array) -> float:
    """Return 1 + 2 Σ ρ_k of series (n, nsample, njoint), over the first positive ρ (Geyer 1992)."""
    power, total = float((series**2).mean()), 1.0
    for lag in range(1, series.shape[1]):
        product = float((series[:, lag:] * series[:, :-lag]).sum())
        rho = product / (series.size * max(power, 1e-300))
        if rho < 0.05:
            break
        total += 2 * rho
    return total
