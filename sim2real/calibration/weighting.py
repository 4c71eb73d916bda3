"""How the residuals of windows are weighed: uncertain start states, outliers, correlated noise.

A window's residual at a start state x₀ is e = predicted - measured. With the start estimated from
the log at x₀ - δ, with covariance S₀, and J₀ the residual's sensitivity to it,

    e - J₀ δ ~ N(0, σ² I + J₀ S₀ J₀ᵀ),

the marginal likelihood of a linear Gaussian model: the start states are estimated together with
the parameters, and eliminated (variable projection, Golub & Pereyra 1973). δ = S₀^½ u follows from
step to step as the conditional mean, which is an iterated Kalman update (Bell & Cathey 1993).
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

    start: Array
    """u (n, 2 njoint): start states' distance from what the log says, in standard deviations."""
    root: Array
    """S₀^½ (n, 2 njoint, 2 njoint)."""
    basis: Array
    """Directions in which the start state moves the residual (n, d, k)."""
    reach: Array
    """How far a standard deviation of it moves the residual along each of them (n, k) [rad]."""
    turn: Array
    """The start states that do so, in standard deviations (n, 2 njoint, k)."""
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
        tiny = 1e-18 * np.eye(size)
        return cls(
            start=np.zeros((n, size)),
            root=np.linalg.cholesky(residual.windows.covariance + tiny).astype(np.float64),
            basis=np.zeros((*e.shape, size)),
            reach=np.zeros((n, size)),
            turn=np.zeros((n, size, size)),
            window=np.ones(n),
            noise=max(_floor(residual), float(np.sqrt(np.median(e**2)))),
            redundancy=1.0,
        ).relinearized(residual, z)

    @property
    def offset(self) -> Array:
        """δ, added to the start states estimated from the log (n, 2 njoint)."""
        return _times(self.root, self.start)

    @property
    def shift(self) -> Array:
        """J₀ δ (n, d)."""
        return _times(self.basis, self.reach * _times(self.turn.transpose(0, 2, 1), self.start))

    @property
    def scale(self) -> Array:
        """What residuals are multiplied with beside the whitening (n,) [1/rad]."""
        return np.sqrt(self.window / self.redundancy) / self.noise

    def relinearized(self, residual: Residual, z: Array) -> "Weighting":
        """Return the weighting with J₀ as it is at z (p,)."""
        J = residual.start_jacobian(z, self.offset)
        basis, reach, Vt = np.linalg.svd(J @ self.root, full_matrices=False)
        return replace(self, basis=basis, reach=reach, turn=Vt.transpose(0, 2, 1))

    def rescaled(self, residual: Residual, e: Array) -> "Weighting":
        """Return the weighting with noise, outliers and redundancy as seen in residuals e (n, d).

        A model that is wrong by a share ε of the motion m, in the same way in every window, can
        look like a change of parameters that no number of windows averages out. Its weight in
        units of the noise, ε² Σ |W m|² / σ², adds to the autocorrelation's.
        """
        r = self._whitened(e - self.shift)
        floor = _floor(residual)
        per_window = np.sqrt((r**2).mean(axis=1))
        limit = _OUTLIER * max(float(np.median(per_window)), floor)
        window = np.minimum(1.0, limit / np.maximum(per_window, 1e-300)) ** 2
        noise = max(float(np.sqrt(np.average(per_window**2, weights=window))), floor / 2)
        motion = self._whitened(residual.motion) * (residual.model_error / noise)
        correlation = _correlation(r.reshape(residual.windows.measured.shape))
        redundancy = correlation + float(window @ (motion**2).sum(axis=1))
        return replace(self, window=window, noise=noise, redundancy=redundancy)

    def started(self, r: Array) -> Array:
        """Return u (n, 2 njoint) as its conditional mean for residuals e - J₀ δ (n, d)."""
        s = self.reach / self.noise
        along = _times(self.basis.transpose(0, 2, 1), r / self.noise)
        return -_times(self.turn, s / (1 + s**2) * along)

    def misfit(self, e: Array) -> float:
        """Return what residuals e (n, d) and the start states they are of cost together."""
        own = ((e / self.noise) ** 2).sum(axis=1) + (self.start**2).sum(axis=1)
        return float(self.window @ own) / self.redundancy

    def weighed(self, values: Array) -> Array:
        """Return values (n, d, ...) whitened and scaled to the units of the prior's."""
        return self._whitened(values) * self.scale.reshape(-1, *(1,) * (values.ndim - 1))

    def _whitened(self, values: Array) -> Array:
        """Return (I + J₀ S₀ J₀ᵀ / σ²)^(-1/2) times values (n, d, ...)."""
        flat = values.reshape(*values.shape[:2], -1)
        shrink = 1.0 - 1.0 / np.sqrt(1.0 + (self.reach / self.noise) ** 2)
        along = self.basis.transpose(0, 2, 1) @ flat
        return (flat - self.basis @ (shrink[..., None] * along)).reshape(values.shape)


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
