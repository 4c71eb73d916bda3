"""Open-loop prediction errors over the horizons at which calibrations are compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim2real.calibration.recipe import Recipe
from sim2real.calibration.rollouts import Rollouts
from sim2real.calibration.windows import Grid, cut
from sim2real.trajectory import Array, Trajectory

HORIZONS = (0.25, 0.5, 1.0)
"""[s]"""


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


def predictions(
    logs: Sequence[Trajectory],
    recipe: Recipe,
    grid: Grid,
    rollouts: Rollouts,
    values: Array,
) -> tuple[Prediction, ...]:
    """Return the errors at each horizon that the logs have windows for.

    Start states come from the log alone: nothing of a window's future is used.

    Args:
        logs: the logs to predict; may be none.
        recipe: which parts count.
        grid: the times of comparison.
        rollouts: the simulations.
        values: nominal and calibrated parameters (2, p).
    """
    found = []
    for seconds in HORIZONS if logs else ():
        windows = cut(logs, recipe, grid, seconds)
        if not len(windows):
            continue
        square = (rollouts.predict(windows, values) - windows.measured) ** 2
        mean = np.sqrt(square.mean(axis=(1, 2, 3)))
        median = np.median(np.sqrt(square.mean(axis=(2, 3))), axis=1)
        found.append(
            Prediction(
                seconds=seconds,
                windows=len(windows),
                nominal=float(mean[0]),
                calibrated=float(mean[1]),
                nominal_median=float(median[0]),
                calibrated_median=float(median[1]),
            )
        )
    return tuple(found)
