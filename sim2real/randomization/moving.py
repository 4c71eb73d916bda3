"""Ranges that were replaced since they were declared: what adaptive randomization moves."""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.parameters import randomness
from sim2real.randomization.draws import Instant

Array = NDArray[np.float64]


@final
class Moved:
    """`k` parameters whose ranges move between the bounds they were declared with."""

    def __init__(self, columns: Sequence[int], declared: Array, present: Array, boundary: float):
        """Make what finishes the draws of moved ranges.

        Args:
            columns: where the parameters stand in a world (k,).
            declared: their declared bounds (k, 2), what their normalized values are relative to:
                whoever sees these sees one scale while the ranges move.
            present: the bounds of their ranges now (k, 2).
            boundary: share of the worlds in which one of them, in turn with the others, stands at
                one of its present bounds.
        """
        self._columns, self._present, self._boundary = np.array(columns), present, boundary
        self._center, width = declared.mean(axis=1), np.diff(declared).ravel()
        self._half = np.where(width > 0, width, 1.0) / 2.0

    def finish(self, worlds: tuple[Array, Array], seed: int, instant: Instant) -> None:
        """Put worlds on boundaries and normalize them, in place: values and normalized (n, p)."""
        values, normalized = worlds
        if self._boundary:
            self._put_on_boundaries(values, seed, instant)
        columns = self._columns
        normalized[:, columns] = (values[:, columns] - self._center) / self._half

    def _put_on_boundaries(self, values: Array, seed: int, instant: Instant) -> None:
        key: tuple[Any, ...] = instant.environment, instant.episode
        chance = randomness.uniform(seed, "boundary", *key, size=2)
        rows = np.flatnonzero(chance[:, 0] < self._boundary)
        ends = (chance[rows, 1] * self._present.size).astype(int)
        values[rows, self._columns[ends // 2]] = self._present.ravel()[ends]
