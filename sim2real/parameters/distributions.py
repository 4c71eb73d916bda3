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


_KINDS: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "beta": Beta,
}


def distribution(data: Any, where: str = "") -> Distribution:
    """Return the distribution that TOML describes.

    `[a, b]` is uniform; `{ log_uniform = [a, b] }`, `{ normal = [mean, std] }`,
    `{ truncated_normal = [mean, std, a, b] }` and `{ beta = [alpha, beta, a, b] }` name theirs.
    """
    if isinstance(data, (list, tuple)):
        data = {"uniform": data}
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ParameterError(
            f"{where}: {data!r} is not a distribution: write [low, high] or"
            f" one of {{ {' | '.join(_KINDS)} = [...] }}"
        )
    ((kind, numbers),) = data.items()
    if kind not in _KINDS:
        raise ParameterError(f"{where}: unknown distribution {kind!r}{known(kind, _KINDS)}")
    cls = _KINDS[kind]
    size = len(cls.__dataclass_fields__)  # type: ignore[attr-defined]
    if (
        not isinstance(numbers, (list, tuple))
        or len(numbers) != size
        or not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in numbers)
    ):
        names = ", ".join(cls.__dataclass_fields__)  # type: ignore[attr-defined]
        raise ParameterError(f"{where}: {kind} = {numbers!r}, but it takes [{names}]")
    try:
        return cls(*map(float, numbers))
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from None


def to_toml(value: Distribution) -> Any:
    """Return what `distribution` reads as the same distribution."""
    numbers = [getattr(value, name) for name in value.__dataclass_fields__]  # type: ignore[attr-defined]
    kind = next(name for name, cls in _KINDS.items() if isinstance(value, cls))
    return numbers if kind == "uniform" else {kind: numbers}


def _finite(kind: str, *values: float) -> None:
    if not np.all(np.isfinite(values)):
        raise ParameterError(f"{kind}: {list(values)} must be finite numbers")


def _ordered(kind: str, low: float, high: float) -> None:
    _finite(kind, low, high)
    if low > high:
        raise ParameterError(f"{kind}: the bounds [{low}, {high}] are inverted")
