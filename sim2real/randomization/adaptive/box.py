"""The box in which a distribution moves: the ranges that a robot declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters.distributions import Beta, LogUniform, TruncatedNormal, Uniform
from sim2real.parameters.ranges import Range

Array = NDArray[np.float64]

_BOUNDED = (Uniform, LogUniform, TruncatedNormal, Beta)


@dataclass(frozen=True, kw_only=True)
class Box:
    """Lowest, highest and nominal values of `p` parameters, absolute, in SI units."""

    names: tuple[str, ...]
    low: Array
    high: Array
    nominal: Array
    logarithmic: NDArray[np.bool_]
    """Whether a parameter's steps are orders of magnitude (p,)."""

    @classmethod
    def of(
        cls, ranges: Mapping[str, Range], nominal: Sequence[float], chosen: Sequence[str] = ()
    ) -> "Box":
        """Return the box of the `chosen` parameters, by default all that can move.

        Args:
            ranges: what the robot declares.
            nominal: the nominal value of each of `ranges`.
            chosen: names out of `ranges`.

        Raises:
            ParameterError: a chosen parameter is not declared or has no bounds, or none can move.
        """
        centers = dict(zip(ranges, nominal, strict=True))
        bounds = {
            name: item.bounds(centers[name])
            for name, item in ranges.items()
            if isinstance(item.distribution, _BOUNDED)
        }
        names = [name for name, (low, high) in bounds.items() if low < high]
        for name in chosen:
            if name not in ranges:
                raise ParameterError(
                    f"{name!r} cannot adapt: the robot randomizes no such parameter"
                    f"{known(name, names)}"
                )
            if name not in names:
                raise ParameterError(
                    f"{name!r} cannot adapt within {ranges[name].to_toml()}: declare a range with"
                    " two bounds"
                )
        names = tuple(name for name in names if name in (chosen or names))
        if not names:
            raise ParameterError(
                "nothing can adapt: declare ranges with two bounds under [randomize]"
            )
        low, high = np.array([bounds[name] for name in names]).T
        center = np.clip([centers[name] for name in names], low, high)
        is_log = [
            isinstance(ranges[name].distribution, LogUniform) and bounds[name][0] > 0
            for name in names
        ]
        return cls(names=names, low=low, high=high, nominal=center, logarithmic=np.array(is_log))

    @property
    def width(self) -> Array:
        """Distance between the bounds (p,)."""
        return self.high - self.low

    def values(self, unit: Array) -> Array:
        """Return the values at the shares `unit` (..., p) of the way from low to high."""
        low = np.where(self.logarithmic, self.low, 1.0)
        orders = low * (np.where(self.logarithmic, self.high, 1.0) / low) ** unit
        values = np.where(self.logarithmic, orders, self.low + unit * self.width)
        return np.clip(values, self.low, self.high)  # rounding must not leave the box

    def unit(self, values: Array) -> Array:
        """Return which share of the way from low to high `values` (..., p) lie at."""
        low = np.where(self.logarithmic, self.low, 1.0)
        ratio = np.where(self.logarithmic, self.high / low, 2.0)
        orders = np.log(np.where(self.logarithmic, values / low, 1.0)) / np.log(ratio)
        return np.where(self.logarithmic, orders, (values - self.low) / self.width)

    def between(self, low: Array, high: Array) -> dict[str, Range]:
        """Return ranges in which all values (p,) between two bounds are alike."""
        kinds = [LogUniform if log else Uniform for log in self.logarithmic]
        return {
            name: Range("set", kind(float(a), float(b)))
            for name, kind, a, b in zip(self.names, kinds, low, high, strict=True)
        }
