"""How a parameter differs from its nominal value: an operation, a distribution, and when."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters import distributions
from sim2real.parameters.distributions import Distribution

Array = NDArray[np.float64]
Operation = Literal["scale", "add", "set"]
Moment = Literal["start", "episode", "step"]


@dataclass(frozen=True)
class Curriculum:
    """How a range changes over a training, from a first distribution to its own."""

    first: Distribution
    over: tuple[float, float] = (0.0, 1.0)
    """The shares of the training at which it begins and ends to change."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.over[0] < self.over[1] <= 1.0:
            raise ParameterError(
                f"curriculum: over = {list(self.over)} must be two shares of the training,"
                " 0 <= begin < end <= 1"
            )

    def weight(self, progress: ArrayLike) -> Array:
        """Return how much of the final distribution there is at a training's share `progress`."""
        begin, end = self.over
        return np.clip((np.asarray(progress, float) - begin) / (end - begin), 0.0, 1.0)


@dataclass(frozen=True)
class Range:
    """`nominal × x`, `nominal + x` or `x`, for x from a distribution.

    Always relative to the nominal value, so that repeated draws never accumulate.
    """

    operation: Operation
    distribution: Distribution
    when: Moment | float = "episode"
    """Drawn once for each environment, for each episode, or within it: at each control step, or at
    intervals of so many seconds."""
    curriculum: Curriculum | None = None

    def __post_init__(self) -> None:
        if isinstance(self.when, float) and not (self.when > 0 and math.isfinite(self.when)):
            raise ParameterError(f"every = {self.when} must be a number of seconds above 0")

    @property
    def interval(self) -> float | None:
        """Seconds between draws within an episode, 0 for every control step; None for no such."""
        return 0.0 if self.when == "step" else self.when if isinstance(self.when, float) else None

    def apply(self, nominal: float, x: Array) -> Array:
        """Return parameter values (n,) for draws `x` (n,) around the nominal value."""
        if self.operation == "scale":
            return nominal * x
        return nominal + x if self.operation == "add" else x

    def values(self, nominal: float, u: Array, progress: ArrayLike = 1.0) -> Array:
        """Return parameter values (n,) at the quantiles `u` (n,) in (0, 1).

        With a curriculum each quantile moves in a straight line from its first value to its final
        one, while `progress`, a number or (n,), goes through the curriculum's share of [0, 1].
        """
        x = self.distribution.quantile(u)
        if self.curriculum is not None:
            weight = self.curriculum.weight(progress)
            x = (1.0 - weight) * self.curriculum.first.quantile(u) + weight * x
        return self.apply(nominal, x)

    def bounds(self, nominal: float) -> tuple[float, float]:
        """Return the smallest and largest value of the parameter, over the whole training."""
        supports = [self.distribution.support]
        if self.curriculum is not None:
            supports.append(self.curriculum.first.support)
        ends = self.apply(nominal, np.array(supports))
        return float(ends.min()), float(ends.max())

    @classmethod
    def parse(cls, data: Any, where: str) -> "Range":
        """Return the range that TOML describes; raises ParameterError.

        `{ scale = [0.7, 1.3] }`, and beside the operation, if wanted:

        - `when = "start"`, `"episode"` (the default) or `"step"`, or `every = 0.5` seconds;
        - `curriculum = { first = [0.95, 1.05], over = [0.0, 0.5] }`: what it starts as, and in
          which share of the training it becomes what is written beside the operation.
        """
        operations = get_args(Operation)
        if not isinstance(data, Mapping) or not data:
            raise ParameterError(
                f"{where}: {data!r} is not a range: write {{ scale = [0.7, 1.3] }},"
                " { add = [...] } or { set = [...] }"
            )
        for key in data:
            if key not in (*operations, "when", "every", "curriculum"):
                names = (*operations, "when", "every", "curriculum")
                raise ParameterError(f"{where}: unknown operation {key!r}{known(key, names)}")
        given = [key for key in operations if key in data]
        if len(given) != 1:
            raise ParameterError(f"{where}: {given or 'none'} given: write one of scale, add, set")
        try:
            drawn = distributions.distribution(data[given[0]], where)
            return cls(given[0], drawn, _when(data), _curriculum(data.get("curriculum"), where))
        except ParameterError as error:
            text = str(error).removeprefix(f"{where}: ")
            raise ParameterError(f"{where}: {text}") from None

    def to_toml(self) -> dict[str, Any]:
        """Return what `parse` reads as the same range."""
        table: dict[str, Any] = {self.operation: distributions.to_toml(self.distribution)}
        if self.when != "episode":
            table["every" if isinstance(self.when, float) else "when"] = self.when
        if self.curriculum is not None:
            first = distributions.to_toml(self.curriculum.first)
            table["curriculum"] = {"first": first, "over": list(self.curriculum.over)}
        return table


def _when(data: Mapping[str, Any]) -> Moment | float:
    if "every" in data:
        every = data["every"]
        if "when" in data:
            raise ParameterError("give either when or every: every = 0.5 draws each 0.5 s")
        if not isinstance(every, (int, float)) or isinstance(every, bool):
            raise ParameterError(f"every = {every!r} must be a number of seconds")
        return float(every)
    moment = data.get("when", "episode")
    if moment not in get_args(Moment):
        raise ParameterError(f"when = {moment!r}{known(str(moment), get_args(Moment))}")
    return moment


def _curriculum(data: Any, where: str) -> Curriculum | None:
    if data is None:
        return None
    if not isinstance(data, Mapping) or "first" not in data or not set(data) <= {"first", "over"}:
        raise ParameterError(
            f"curriculum = {data!r}, but it takes {{ first = [low, high], over = [begin, end] }}"
        )
    over = data.get("over", [0.0, 1.0])
    if not isinstance(over, (list, tuple)) or len(over) != 2:
        raise ParameterError(f"curriculum: over = {over!r} must be [begin, end]")
    if not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in over):
        raise ParameterError(f"curriculum: over = {over!r} must be two numbers")
    return Curriculum(
        distributions.distribution(data["first"], where), (float(over[0]), float(over[1]))
    )
