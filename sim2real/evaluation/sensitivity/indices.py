"""Variance-based sensitivity indices with confidence intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_RESAMPLES = 500
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Indices:
    """Shares of an outcome's variance, each (p,); intervals (p, 2) hold 95 %."""

    first: Array
    """What a parameter decides alone."""
    first_interval: Array
    total: Array
    """What it decides alone and together with others."""
    total_interval: Array


def design(n: int, p: int, seed: int) -> tuple[Array, Array, Array]:
    """Return Saltelli's (2010) matrices A (n, p), B (n, p) and AB (p, n, p) in the unit cube.

    AB[i] is A with column i of B. `n` must be a power of two: rows are a scrambled Sobol sequence.
    """
    from scipy.stats import qmc

    points = qmc.Sobol(2 * p, rng=np.random.default_rng(seed)).random(n)
    a, b = points[:, :p], points[:, p:]
    ab = np.tile(a, (p, 1, 1))
    for i in range(p):
        ab[i, :, i] = b[:, i]
    return a, b, ab


def sobol_indices(a: Array, b: Array, ab: Array, *, seed: int = 0) -> Indices:
    """Return the indices of outcomes on Saltelli's matrices; zero if the outcome never changes.

    First order: Saltelli et al. 2010, table 2 (b). Total: Jansen 1999, table 2 (f). Intervals:
    bootstrap over rows.

    What is random beside the parameters must be the same in row j of A and of each AB[i] and
    another in B: then it is attributed to no parameter.

    Args:
        a: outcomes on A (n,).
        b: outcomes on B (n,).
        ab: outcomes on AB (p, n).
        seed: of the bootstrap.
    """
    rows = np.random.default_rng(seed).integers(len(a), size=(_RESAMPLES, len(a)))
    first, total = _indices(a, b, ab)
    resampled = np.array([_indices(a[row], b[row], ab[:, row]) for row in rows])
    low, high = np.quantile(resampled, _INTERVAL, axis=0)
    intervals = np.stack([low, high], axis=-1)
    return Indices(first, intervals[0], total, intervals[1])


def _indices(a: Array, b: Array, ab: Array) -> tuple[Array, Array]:
    variance = np.concatenate([a, b]).var()
    if variance <= 1e-18:
        return np.zeros(len(ab)), np.zeros(len(ab))
    # centred on the mean, which takes nothing from the expectation and much from the variance
    first = ((b - np.concatenate([a, b]).mean()) * (ab - a)).mean(axis=1) / variance
    total = np.square(a - ab).mean(axis=1) / (2.0 * variance)
    return first, total


def explained_by_cells(x: Array, y: Array, outcome: Array, bins: int) -> float:
    """Return the share of the outcome's variance (n,) that cells of two parameters explain.

    The correlation ratio on equally filled bins of `x` and of `y`, without what chance adds.
    """
    cell = bin_of(x, bins) * bins + bin_of(y, bins)
    count = np.bincount(cell, minlength=bins * bins)
    mean = np.bincount(cell, outcome, bins * bins) / np.maximum(count, 1)
    total = outcome.var()
    if total <= 1e-18:
        return 0.0
    between = float((count * np.square(mean - outcome.mean())).sum()) / len(outcome)
    filled = int((count > 0).sum())
    within = (total - between) / max(1, len(outcome) - filled)
    return max(0.0, float((between - within * (filled - 1)) / total))


def bin_of(values: Array, bins: int) -> NDArray[np.int64]:
    """Return which of `bins` equally filled bins each value lies in (n,)."""
    inner = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(inner, values, "right")


def wilson(successes: Array, count: Array) -> tuple[Array, Array]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    z, n = 1.96, np.maximum(count, 1)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # the ends are exact where all or none succeed
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)
