"""Ranges that are drawn at the same moments: at the start, for each episode, or within it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.correlation import Correlation, correlated
from sim2real.parameters.ranges import Range
from sim2real.parameters.table import RangeTable

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Instant:
    """Of `n` worlds: in which environments and episodes they are, and how far; arrays (n,)."""

    environment: NDArray[Any]
    episode: NDArray[np.int64]
    steps: NDArray[np.int64]
    """Control steps since the start of the episode."""
    progress: Array
    """Share of the training that was over when the episode began."""

    def of(self, rows: Any) -> "Instant":
        """Return that of some of the worlds."""
        return Instant(
            self.environment[rows], self.episode[rows], self.steps[rows], self.progress[rows]
        )


@final
class Draws:
    """The parameters that are drawn at one kind of moment, all at once."""

    def __init__(
        self,
        ranges: Mapping[str, Range],
        nominal: Mapping[str, float],
        correlations: Sequence[Correlation],
        control_hz: float,
    ):
        """Make the draws of `ranges`, which all have the same `when`.

        Args:
            ranges: parameter → range.
            nominal: every parameter of the world → nominal value, in the order of the columns.
            correlations: of these ranges and of others.
            control_hz: rate of the control steps.
        """
        first = next(iter(ranges.values()))
        columns = list(nominal)
        self.columns = [columns.index(name) for name in ranges]
        """Where they stand in a world."""
        around = np.array([nominal[name] for name in ranges])
        self.table = RangeTable(tuple(ranges.values()), around)
        self._keys = tuple(f"parameter:{name}" for name in ranges)
        self._at_start = first.when == "start"
        self._interval = _control_steps(next(iter(ranges)), first, control_hz)
        names = list(ranges)
        groups = [group.over(ranges) for group in correlations]
        groups = [group for group in groups if len(group.parameters) > 1]
        self.groups = [[names.index(name) for name in group.parameters] for group in groups]
        """Which of them are correlated."""
        self._roots = [group.root() for group in groups]

    @property
    def within_episode(self) -> bool:
        """Whether they are drawn more than once in an episode."""
        return self._interval is not None

    def due(self, steps: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which (n,) are drawn anew after so many control steps of an episode (n,)."""
        return self._number(steps) != self._number(steps - 1)

    def draw(self, seed: int, instant: Instant, attempt: int = 0) -> tuple[Array, Array]:
        """Return values and normalized values (n, len(columns)), keyed by all that is given."""
        counters = self._counters(instant)
        if attempt:
            zero = np.zeros_like(instant.episode)
            counters = (*counters, *[zero] * (3 - len(counters)), zero + attempt)
        u = randomness.uniform_per_term(seed, self._keys, *counters)
        for group, root in zip(self.groups, self._roots, strict=True):
            u[:, group] = correlated(u[:, group], root)
        values = self.table.values(u, instant.progress)
        return values, self.table.normalized(values, u)

    def _counters(self, instant: Instant) -> tuple[NDArray[Any], ...]:
        if self._at_start:
            return instant.environment, np.zeros_like(instant.episode)
        within = (self._number(instant.steps),) if self.within_episode else ()
        return instant.environment, instant.episode, *within

    def _number(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return in which interval of their episodes the control steps (n,) lie."""
        interval = self._interval or 1.0
        return np.floor(steps / interval + 1e-9).astype(np.int64)


def draws_of(
    ranges: Mapping[str, Range],
    nominal: Mapping[str, float],
    correlations: Sequence[Correlation],
    control_hz: float,
) -> list[Draws]:
    """Return the draws of ranges that may have different moments; see `Draws`."""
    moments = dict.fromkeys(item.when for item in ranges.values())
    groups = [
        {name: item for name, item in ranges.items() if item.when == when} for when in moments
    ]
    return [Draws(group, nominal, correlations, control_hz) for group in groups]


def _control_steps(name: str, item: Range, control_hz: float) -> float | None:
    """Return the control steps between draws within an episode; None if there are no such."""
    if item.interval is None:
        return None
    steps = item.interval * control_hz
    if 0.0 < steps < 1.0 - 1e-9:
        raise ParameterError(
            f"{name}: every = {item.interval:g} s is less than a control step of"
            f' {1.0 / control_hz:g} s: write when = "step"'
        )
    return max(steps, 1.0)
