"""Distributions of one number, drawn by their quantile function from keyed uniforms."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known

Array = NDArray[np.float64]


class Distribution(ABC):
    """A distribution of one number."""

    @abstractmethod
    def quantile(self, u: Array) -> Array:
        """Return the values below which the shares `u` (any shape, in (0, 1)) lie."""

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The smallest and largest value that can be drawn; infinite where there is none."""


@final
@dataclass(frozen=True)
class Uniform(Distribution):
    """All values between two bounds alike."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered("uniform", self.low, self.high)

    def quantile(self, u: Array) -> Array:  # noqa: D102
        return self.low + u * (self.high - self.low)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high


@final
@dataclass(frozen=True)
class LogUniform(Distribution):
    """All orders of magnitude between two positive bounds alike."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered("log_uniform", self.low, self.high)
        if self.low <= 0:
            raise ParameterError(f"log_uniform: the lower bound {self.low} must be above 0")

    def quantile(self, u: Array) -> Array:  # noqa: D102
        return self.low * (self.high / self.low) ** u

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high


@final
@dataclass(frozen=True)
class Normal(Distribution):
    """The normal distribution."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        _finite("normal", self.mean, self.std)
        if self.std < 0:
            raise ParameterError(f"normal: the standard deviation {self.std} must not be negative")

    def quantile(self, u: Array) -> Array:  # noqa: D102
        from scipy.special import ndtri

        return self.mean + self.std * ndtri(u)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return (-np.inf, np.inf) if self.std else (self.mean, self.mean)


@final
@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """The normal distribution given that the value lies between two bounds."""

    mean: float
    std: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _finite("truncated_normal", self.mean, self.std)
        _ordered("truncated_normal", self.low, self.high)
        if self.std <= 0:
            raise ParameterError(f"truncated_normal: the deviation {self.std} must be above 0")

    def quantile(self, u: Array) -> Array:  # noqa: D102
        from scipy.special import log_ndtr, ndtri_exp

        a, b = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        sign = 1.0
        if a > 0:  # mirror, so that the logarithms stay exact in the far upper tail
            a, b, u, sign = -b, -a, 1 - np.asarray(u), -1.0
        log_mass = np.logaddexp(
            log_ndtr(a) + np.log1p(-np.asarray(u)), log_ndtr(b) + np.log(np.asarray(u))
        )
        return np.clip(self.mean + sign * self.std * ndtri_exp(log_mass), self.low, self.high)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high


@final
@dataclass(frozen=True)
class Beta(Distribution):
    """The beta distribution, stretched between two bounds."""

    alpha: float
    beta: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _finite("beta", self.alpha, self.beta)
        _ordered("beta", self.low, self.high)
        if min(self.alpha, self.beta) <= 0:
            raise ParameterError(f"beta: alpha {self.alpha} and beta {self.beta} must be above 0")

    def quantile(self, u: Array) -> Array:  # noqa: D102
        from scipy.special import betaincinv

        return self.low + (self.high - self.low) * betaincinv(self.alpha, self.beta, u)

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        return self.low, self.high


@final
@dataclass(frozen=True)
class Categorical(Distribution):
    """One of some values, each as likely as its weight says."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        _finite("categorical", *self.values)
        _weighted("categorical", "values", self.values, self.weights)

    def quantile(self, u: Array) -> Array:  # noqa: D102
        order = np.argsort(self.values)
        return np.asarray(self.values)[order][_pick(np.asarray(self.weights)[order], u)[0]]

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        drawn = [x for x, weight in zip(self.values, self.weights, strict=True) if weight > 0]
        return min(drawn), max(drawn)


@final
@dataclass(frozen=True)
class Mixture(Distribution):
    """One of some distributions, each as likely as its weight says.

    Its `quantile` picks the distribution by where `u` lies among the weights, and draws from it by
    where `u` lies within its weight: exact, but increasing within each of the parts only.
    """

    of: tuple[Distribution, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        _weighted("mixture", "distributions", self.of, self.weights)

    def quantile(self, u: Array) -> Array:  # noqa: D102
        part, within = _pick(np.asarray(self.weights), u)
        values = np.empty_like(within)
        for i, distribution in enumerate(self.of):
            values[part == i] = distribution.quantile(within[part == i])
        return values

    @property
    def support(self) -> tuple[float, float]:  # noqa: D102
        drawn = [x.support for x, weight in zip(self.of, self.weights, strict=True) if weight > 0]
        lows, highs = zip(*drawn, strict=True)
        return min(lows), max(highs)


_NUMBERS: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "beta": Beta,
}
"""Those that TOML describes by a list of numbers."""
_KINDS = (*_NUMBERS, "categorical", "mixture")


def distribution(data: Any, where: str = "") -> Distribution:
    """Return the distribution that TOML describes; raises ParameterError.

    `[a, b]` is uniform; `{ log_uniform = [a, b] }`, `{ normal = [mean, std] }`,
    `{ truncated_normal = [mean, std, a, b] }` and `{ beta = [alpha, beta, a, b] }` name theirs.
    `{ categorical = [a, b, ...] }` takes one of some values, and
    `{ mixture = { of = [[a, b], { normal = [mean, std] }], weights = [3, 1] } }` draws from one of
    some distributions; `{ categorical = { values = [a, b], weights = [3, 1] } }` has weights, too.
    """
    if isinstance(data, (list, tuple)):
        data = {"uniform": data}
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ParameterError(
            f"{where}: {data!r} is not a distribution: write [low, high] or"
            f" one of {{ {' | '.join(_KINDS)} = ... }}"
        )
    ((kind, given),) = data.items()
    if kind not in _KINDS:
        raise ParameterError(f"{where}: unknown distribution {kind!r}{known(kind, _KINDS)}")
    try:
        if kind == "categorical":
            values, weights = _weights(kind, "values", given)
            return Categorical(_numbers(kind, values, "[value, ...]"), weights)
        if kind == "mixture":
            parts, weights = _weights(kind, "of", given)
            return Mixture(tuple(distribution(part, where) for part in parts), weights)
        cls = _NUMBERS[kind]
        names = list(cls.__dataclass_fields__)  # type: ignore[attr-defined]
        return cls(*_numbers(kind, given, f"[{', '.join(names)}]", len(names)))
    except ParameterError as error:
        text = str(error).removeprefix(f"{where}: ")
        raise ParameterError(f"{where}: {text}") from None


def to_toml(value: Distribution) -> Any:
    """Return what `distribution` reads as the same distribution."""
    if isinstance(value, Categorical):
        return {"categorical": {"values": list(value.values), "weights": list(value.weights)}}
    if isinstance(value, Mixture):
        parts = [to_toml(part) for part in value.of]
        return {"mixture": {"of": parts, "weights": list(value.weights)}}
    numbers = [getattr(value, name) for name in value.__dataclass_fields__]  # type: ignore[attr-defined]
    kind = next(name for name, cls in _NUMBERS.items() if isinstance(value, cls))
    return numbers if kind == "uniform" else {kind: numbers}


def _weights(kind: str, key: str, given: Any) -> tuple[Any, tuple[float, ...]]:
    """Return the list under `key`, and its weights: equal ones if none are given."""
    table = given if isinstance(given, Mapping) else {key: given}
    for name in table:
        if name not in (key, "weights"):
            raise ParameterError(f"{kind}: unknown key {name!r}{known(name, (key, 'weights'))}")
    items = table.get(key)
    if not isinstance(items, (list, tuple)) or not items:
        raise ParameterError(
            f"{kind} = {given!r}, but it takes {{ {key} = [...], weights = [...] }}"
        )
    weights = table.get("weights", [1.0] * len(items))
    return items, _numbers(kind, weights, "weights = [number, ...]")


def _numbers(kind: str, given: Any, wanted: str, size: int | None = None) -> tuple[float, ...]:
    if (
        not isinstance(given, (list, tuple))
        or (size is not None and len(given) != size)
        or not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in given)
    ):
        raise ParameterError(f"{kind} = {given!r}, but it takes {wanted}")
    return tuple(map(float, given))


def _weighted(kind: str, what: str, items: tuple[Any, ...], weights: tuple[float, ...]) -> None:
    if not items or len(items) != len(weights):
        raise ParameterError(
            f"{kind}: {len(items)} {what} need as many weights, not {len(weights)}"
        )
    if not np.all(np.isfinite(weights)) or min(weights) < 0 or sum(weights) <= 0:
        raise ParameterError(
            f"{kind}: the weights {list(weights)} must not be negative, and not all 0"
        )


def _pick(weights: Array, u: Array) -> tuple[NDArray[np.intp], Array]:
    """Return which of `weights` holds each share `u`, and where within it, in (0, 1)."""
    edges = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])
    last = int(np.flatnonzero(weights)[-1])  # rounding must not pick one of weight 0
    part = np.minimum(np.searchsorted(edges[1:], u, side="right"), last)
    share = (np.asarray(u) - edges[part]) / (edges[part + 1] - edges[part])
    return part, np.clip(share, 2.0**-53, 1 - 2.0**-53)


def _finite(kind: str, *values: float) -> None:
    if not np.all(np.isfinite(values)):
        raise ParameterError(f"{kind}: {list(values)} must be finite numbers")


def _ordered(kind: str, low: float, high: float) -> None:
    _finite(kind, low, high)
    if low > high:
        raise ParameterError(f"{kind}: the bounds [{low}, {high}] are inverted")
