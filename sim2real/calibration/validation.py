"""Open-loop prediction errors over the horizons at which calibrations are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real.calibration.problem import Problem
from sim2real.trajectory import Array, Trajectory


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """How far predicted positions are from recorded ones over windows of one length [rad]."""

    seconds: float
    windows: int
    nominal: float
    """Root mean square error of the nominal model."""
    calibrated: float
    nominal_median: float
    """Median over windows of a window's root mean square error: chaos spares it."""
    calibrated_median: float
    nominal_absolute: float = 0.0
    """Mean absolute error."""
    calibrated_absolute: float = 0.0
    published: float | None = None
    """Root mean square error with the parameters that the recipe calls published; None: none."""
    by_joint: dict[str, tuple[float, float]] | None = None
    """Joint → root mean square errors of the nominal and the calibrated model."""


def predictions(
    problem: Problem, logs: Sequence[Trajectory], values: Array
) -> tuple[Prediction, ...]:
    """Return the errors at each horizon that the logs have windows for.

    Start states come from the log alone: nothing of a window's future is used.

    Args:
        problem: what predicts, and which parts of the logs count.
        logs: the logs to predict; may be none.
        values: nominal and calibrated unknowns, and published ones if there are (2 or 3, p).
    """
    found: list[Prediction] = []
    for seconds in problem.recipe.windows.horizons if logs else ():
        windows = problem.windows(logs, seconds)
        if not len(windows):
            continue
        error = problem.predict(logs, windows, values) - windows.measured
        absolute = np.abs(error).mean(axis=(1, 2, 3))
        mean = np.sqrt((error**2).mean(axis=(1, 2, 3)))
        median = np.median(np.sqrt((error**2).mean(axis=(2, 3))), axis=1)
        each = np.sqrt((error[:2] ** 2).mean(axis=(1, 2))).T.tolist()
        found.append(
            Prediction(
                seconds=seconds,
                windows=len(windows),
                nominal=float(mean[0]),
                calibrated=float(mean[1]),
                nominal_median=float(median[0]),
                calibrated_median=float(median[1]),
                nominal_absolute=float(absolute[0]),
                calibrated_absolute=float(absolute[1]),
                published=float(mean[2]) if len(mean) > 2 else None,
                by_joint=dict(zip(problem.compared, map(tuple, each), strict=True)),
            )
        )
    return tuple(found)
