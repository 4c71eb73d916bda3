"""Predictive bands: what a calibrated model says a robot will do, and how often it is right.

A band is of draws: unknowns from the posterior, start states as uncertain as the log leaves them, a
sensor's noise, and what the model itself gets wrong. The last is told by logs that were left out: a
model of other logs misses each of them by more than all the rest explains (`inadequacy`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from sim2real.calibration.fit import Fit
from sim2real.calibration.problem import Problem
from sim2real.calibration.windows import Windows
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """What is uncertain in a prediction; None: not taken into account."""

    covariance: Array | None
    """Of the unknowns in z (p, p)."""
    start: bool = True
    """Whether start states and sensors are noisy."""
    inadequacy: Array | None = None
    """Standard deviation of what the model gets wrong at each sample (nsample, ncompared)."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often recorded positions lie in a band, over the windows of held-out logs."""

    kind: str
    """What the band takes into account."""
    wanted: float
    covered: float
    """Share of the samples."""
    width: float
    """Mean width of the band [rad]."""


def draws(
    problem: Problem,
    logs: Sequence[Trajectory],
    windows: Windows,
    z: Array,
    uncertain: Uncertain,
    *,
    count: int = 64,
    seed: int = 0,
) -> Array:
    """Return predicted positions as sensors would report them, (count, n, nsample, ncompared)."""
    rng = np.random.default_rng((seed, 90))
    n, size = windows.covariance.shape[:2]
    low, high = problem.coordinates.z_bounds
    chosen = np.tile(z, (count, 1))
    if uncertain.covariance is not None:
        values, vectors = np.linalg.eigh(uncertain.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        chosen = np.clip(chosen + rng.standard_normal((count, len(z))) @ root.T, low, high)
    offset = np.zeros((count, n, size))
    if uncertain.start:
        root = np.linalg.cholesky(windows.covariance + 1e-18 * np.eye(size))
        offset = np.einsum("nij,cnj->cni", root, rng.standard_normal((count, n, size)))
    values = problem.coordinates.values(chosen)
    predicted = problem.predict(logs, windows, values, offset)
    if uncertain.start:
        noise = np.sqrt(windows.noise)[:, None]
        predicted = predicted + noise * rng.standard_normal(predicted.shape)
    if uncertain.inadequacy is not None:
        # a model that is wrong is wrong in the same direction for a while: one factor a window
        factor = rng.standard_normal((count, n, 1, predicted.shape[-1]))
        predicted = predicted + factor * uncertain.inadequacy
    return predicted


def band(predicted: Array, share: float = 0.9) -> tuple[Array, Array]:
    """Return the lower and upper limits (n, nsample, ncompared) of `share` of the draws."""
    # the quantiles of a normal distribution with the draws' moments: less noisy than the draws'
    reach = float(ndtri(0.5 + share / 2)) * predicted.std(axis=0, ddof=1)
    centre = predicted.mean(axis=0)
    return centre - reach, centre + reach


def coverage(kind: str, predicted: Array, measured: Array, share: float = 0.9) -> Coverage:
    """Return how often `measured` (n, nsample, ncompared) lies in the band of the draws."""
    low, high = band(predicted, share)
    inside = (low <= measured) & (measured <= high)
    width = float((high - low).mean())
    return Coverage(kind=kind, wanted=share, covered=float(inside.mean()), width=width)


def inadequacy(
    problem: Problem,
    logs: Sequence[Trajectory],
    windows: Windows,
    found: Fit,
    covariance: Array,
    *,
    seed: int = 0,
) -> Array:
    """Return what a model gets wrong in logs that it was not fitted to (nsample, ncompared) [rad].

    The fit without a log follows from the fit to all of them to first order: z + (A - Hₗ)⁻¹ gₗ. Of
    its mean square error, what start states, sensors and parameters explain is taken away. With a
    single log, blocks of windows take the place of logs.
    """
    numbers = np.unique(windows.log)
    groups = (
        [windows.log == number for number in numbers]
        if len(numbers) > 1
        else [np.arange(len(windows)) % 4 == i for i in range(min(4, len(windows)))]
    )
    information = np.eye(len(found.z)) + found.information.sum(axis=0)
    low, high = problem.coordinates.z_bounds
    square, weight = np.zeros(windows.measured.shape[1:]), found.weighting.window
    for group in groups:
        without = information - found.information[group].sum(axis=0)
        step = np.linalg.solve(without, found.score[group].sum(axis=0))
        z = np.clip(found.z + step, low, high)
        part = windows.take(np.flatnonzero(group))
        centre = problem.predict(logs, part, problem.coordinates.values(z)[None])[0]
        predicted = draws(problem, logs, part, z, Uncertain(covariance=covariance), seed=seed)
        excess = (centre - part.measured) ** 2 - predicted.var(axis=0)
        # each log counts alike, whatever its length; pushes count less, as in the fit
        weights = weight[group] / weight[group].sum()
        square += np.einsum("n,nsj->sj", weights, excess) / len(groups)
    # what is wrong early is not right again later: the running maximum
    return np.sqrt(np.maximum.accumulate(np.maximum(square, 0.0), axis=0))


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A window to look at: what was measured, and what models say; arrays (nsample, ncompared)."""

    log: str
    joints: tuple[str, ...]
    """Those that are compared."""
    start: float
    """[s] from the log's first row."""
    time: Array
    """From the window's start (nsample,) [s]."""
    measured: Array
    nominal: Array
    calibrated: Array
    low: Array
    """Of the band."""
    high: Array


def shown(
    logs: Sequence[Trajectory],
    windows: Windows,
    predicted: Array,
    both: Array,
    step: float,
    *,
    count: int = 4,
) -> tuple[Shown, ...]:
    """Return windows to look at: from the best predicted one to the worst, evenly by rank.

    Args:
        logs: those that the windows are of.
        windows: the `n` windows.
        predicted: draws (m, n, nsample, ncompared).
        both: predictions of the nominal and the calibrated model (2, n, nsample, ncompared).
        step: time between samples [s].
        count: how many to return at most.
    """
    low, high = band(predicted)
    compared = windows.compared or range(len(logs[0].joints))
    error = ((both[1] - windows.measured) ** 2).mean(axis=(1, 2))
    order = np.argsort(error)
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).astype(int))]
    time = step * np.arange(1, windows.measured.shape[1] + 1)
    return tuple(
        Shown(
            log=Path(logs[int(windows.log[i])].source).name,
            joints=tuple(logs[0].joints[j] for j in compared),
            start=float(windows.start[i]),
            time=time,
            measured=windows.measured[i],
            nominal=both[0, i],
            calibrated=both[1, i],
            low=low[i],
            high=high[i],
        )
        for i in chosen
    )
