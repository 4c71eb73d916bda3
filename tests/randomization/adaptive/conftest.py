"""Boxes, and worlds drawn from a source as the randomizer draws them."""

from collections.abc import Callable

import numpy as np
import pytest

from sim2real.parameters import randomness
from sim2real.parameters.ranges import Range
from sim2real.randomization.adaptive.algorithm import Source
from sim2real.randomization.adaptive.box import Box


@pytest.fixture
def box() -> Callable[..., Box]:
    """Return the box of ranges given as lists [low, high], with nominal values."""

    def make(nominal, *bounds) -> Box:
        ranges = {
            f"body.link{i}.mass": Range.parse({"set": list(b)}, "") for i, b in enumerate(bounds)
        }
        return Box.of(ranges, nominal)

    return make


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """Return a function: n worlds (n, p) of a source, some on boundaries if it says so."""

    def worlds(source: Source, n: int, episode: int = 0) -> np.ndarray:
        p = len(source.ranges)
        u = randomness.uniform(0, "worlds", np.arange(n), np.full(n, episode), size=p + 3)
        end = (u[:, p] * 2 * p).astype(int)
        put = u[:, p + 1] < source.boundary
        u[put, end[put] // 2] = end[put] % 2
        columns = zip(source.ranges.values(), u.T, strict=False)
        return np.stack([item.distribution.quantile(column) for item, column in columns], axis=1)

    return worlds
