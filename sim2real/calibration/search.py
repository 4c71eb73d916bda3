"""Where fits begin: many problems have one optimum, those with dry friction and gears have several.

Points are scored in large batches: draws from the prior, or generations of an evolution strategy.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import CalibrationError, ConfigError

Array = NDArray[np.float64]
Score = Callable[[Array], Array]
"""Points (m, p) → how badly each does (m,)."""

_DRAWS = 14
"""From the prior, for each starting point."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How widely to look for the best optimum."""

    starts: int = 1
    """Starting points; of several fits the one with the smallest residuals is taken."""
    generations: int = 0
    """Of CMA-ES (Hansen 2016), whose best point is one more start. It needs the library `cma`."""

    def __post_init__(self) -> None:
        if self.starts < 1 or self.generations < 0:
            raise ConfigError(
                f"starts = {self.starts} must be at least 1,"
                f" generations = {self.generations} at least 0"
            )


def starting_points(
    score: Score, hints: Array, bounds: tuple[Array, Array], search: Search, seed: int
) -> Array:
    """Return the best points to start from, best first (k, p).

    Args:
        score: what tells good points from bad ones.
        hints: points to look at beside draws from the prior N(0, I), (m, p).
        bounds: of the points, each (p,).
        search: how many to look at and to return.
        seed: of the draws.
    """
    low, high = bounds
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((_DRAWS * search.starts, len(low)))
    points = np.clip(np.vstack([hints, draws]), low, high)
    order = np.argsort(score(points), kind="stable")
    best = points[order[: search.starts]]
    if not search.generations:
        return best
    return np.vstack([evolved(score, best[0], bounds, search.generations, seed), best])


def evolved(
    score: Score, start: Array, bounds: tuple[Array, Array], generations: int, seed: int
) -> Array:
    """Return the best point (p,) that CMA-ES finds; raises CalibrationError without `cma`."""
    if len(start) == 1:  # for which `cma` has no method, and draws are enough
        return start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional packages
        try:
            import cma
        except ModuleNotFoundError as error:
            raise CalibrationError(
                "search: generations needs the library cma: pip install sim2real[calibration]"
            ) from error
        # cma takes no start on a bound
        low, high = (np.clip(bound, -1e6, 1e6) for bound in bounds)
        inside = np.clip(start, low + 1e-3 * (high - low), high - 1e-3 * (high - low))
        strategy = cma.CMAEvolutionStrategy(
            inside, 0.5,
            {"bounds": [low.tolist(), high.tolist()], "seed": seed % 2**31 + 1, "verbose": -9,
             "verb_log": 0, "maxiter": generations},
        )  # fmt: skip
        while not strategy.stop():
            points = strategy.ask()
            strategy.tell(points, score(np.array(points)).tolist())
        return np.asarray(strategy.result.xbest)
