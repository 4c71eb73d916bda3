"""Replayed samples as a polynomial of the worlds' parameters, fitted by least squares."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FARTHEST = 10.0
"""Residuals beyond count as this many deviations, so that no single sample decides."""
_WORLDS_A_TERM = 2.5
"""Quadratic terms are fitted only if there are this many worlds for each coefficient."""


class Emulator:
    """`k` samples as a response surface, with what a sample may be off by at the truth."""

    def __init__(self, values: Array, smooth: Array, noise: Array):
        """Fit the surface.

        Args:
            values: the worlds' parameters (n, p).
            smooth: what they do (n, k).
            noise: standard deviation of the sensors' noise (k,).
        """
        self.centre, scale = values.mean(axis=0), values.std(axis=0)
        self.scale: Array = np.where(scale > 0, scale, 1.0)
        n, p = values.shape
        self._pairs = np.triu_indices(p)
        if n < _WORLDS_A_TERM * (1 + p + len(self._pairs[0])):
            self._pairs = (np.empty(0, int), np.empty(0, int))
        design = self._terms((values - self.centre) / self.scale)
        self.coefficients = np.linalg.lstsq(design, smooth, rcond=None)[0]
        freedom = max(1, n - design.shape[1])
        curved = np.square(smooth - design @ self.coefficients).sum(axis=0) / freedom
        self.sigma: Array = np.sqrt(noise**2 + curved)
        """Noise, and what the surface misses (k,)."""
        self._q, self._r = np.linalg.qr((self.coefficients / self.sigma).T)

    def fit(self, samples: Array, low: Array, high: Array) -> Array:
        """Return the parameters (p,) within bounds that explain `samples` (k,) best."""
        from scipy.optimize import least_squares

        lower, upper = (low - self.centre) / self.scale, (high - self.centre) / self.scale
        upper = np.maximum(upper, lower + 1e-9)
        target = self._q.T @ (samples / self.sigma)
        found = least_squares(
            lambda x: self._r @ self._terms(x[None])[0] - target,
            np.clip(np.zeros(len(low)), lower, upper),
            lambda x: self._r @ self._slopes(x),  # type: ignore[arg-type]
            (lower, upper),
            xtol=1e-6,
            ftol=1e-6,
        )
        return np.clip(self.centre + self.scale * found.x, low, high)

    def residual(self, samples: Array, values: Array) -> Array:
        """Return what `values` (p,) leave unexplained of `samples` (k,), in units of sigma."""
        terms = self._terms(((values - self.centre) / self.scale)[None])
        return np.clip((samples - (terms @ self.coefficients)[0]) / self.sigma,
                       -_FARTHEST, _FARTHEST)  # fmt: skip

    def _terms(self, x: Array) -> Array:
        """Return 1, x and its products (n, terms) of standardized parameters (n, p)."""
        i, j = self._pairs
        return np.concatenate([np.ones((len(x), 1)), x, x[:, i] * x[:, j]], axis=1)

    def _slopes(self, x: Array) -> Array:
        """Return the terms' derivatives (terms, p) at `x` (p,)."""
        i, j = self._pairs
        rows, products = np.arange(len(i)), np.zeros((len(i), len(x)))
        np.add.at(products, (rows, i), x[j])
        np.add.at(products, (rows, j), x[i])
        return np.concatenate([np.zeros((1, len(x))), np.eye(len(x)), products])
