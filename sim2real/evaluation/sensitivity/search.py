"""The worst world within the ranges, found by CMA-ES on noisy returns."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def worst_world(
    score: Callable[[Array, int], Array],
    start: Array,
    *,
    population: int,
    generations: int,
    seed: int,
) -> Array:
    """Return the point of the unit cube (p,) with the lowest expected score.

    CMA-ES (Hansen 2016) by the library `cma`. Every generation is scored by other random numbers,
    the same for all its points: ranks are fair, and no point is kept for its luck.

    Args:
        score: of points (n, p) in the cube by the random numbers of a generation: (n,).
        start: where to begin (p,).
        population: points in a generation.
        generations: how many.
        seed: of the search.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of optional packages, and of one-dimensional problems
        import cma

        strategy = cma.CMAEvolutionStrategy(
            _at_least_two(np.clip(start, 0.05, 0.95)),
            0.25,
            {"bounds": [0.0, 1.0], "popsize": population, "seed": seed % 2**31 + 1,
             "verbose": -9, "verb_log": 0, "tolfun": 0.0, "tolfunhist": 0.0},
        )  # fmt: skip
        for generation in range(generations):
            points = np.array(strategy.ask())
            scores = score(points[:, : len(start)], generation)
            strategy.tell(list(points), scores.tolist())
        favourite = np.asarray(strategy.result.xfavorite)
    return np.clip(favourite[: len(start)], 0.0, 1.0)


def _at_least_two(start: Array) -> Array:
    """Return the start with a number more if it is one alone, for which `cma` has no method."""
    return start if len(start) > 1 else np.append(start, 0.5)
