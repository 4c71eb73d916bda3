"""How a parameter differs from its nominal value: an operation and a distribution."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters import distributions
from sim2real.parameters.distributions import Distribution

Operation = Literal["scale", "add", "set"]


@dataclass(frozen=True)
class Range:
    """`nominal × x`, `nominal + x` or `x`, for x from a distribution.

    Always relative to the nominal value, so that repeated draws never accumulate.
    """

    operation: Operation
    distribution: Distribution

    def apply(self, nominal: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return parameter values (n,) for draws `x` (n,) around the nominal value."""
        if self.operation == "scale":
            return nominal * x
        return nominal + x if self.operation == "add" else x

    def values(self, nominal: float, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return parameter values (n,) at the quantiles `u` (n,) in (0, 1)."""
        return self.apply(nominal, self.distribution.quantile(u))

    def bounds(self, nominal: float) -> tuple[float, float]:
        """Return the smallest and largest value of the parameter."""
        low, high = self.apply(nominal, np.array(self.distribution.support))
        return (float(low), float(high)) if low <= high else (float(high), float(low))

    @classmethod
    def parse(cls, data: Any, where: str) -> "Range":
        """Return the range that TOML describes: `{ scale = [0.7, 1.3] }`; raises ParameterError."""
        operations = get_args(Operation)
        if not isinstance(data, Mapping) or len(data) != 1:
            raise ParameterError(
                f"{where}: {data!r} is not a range: write {{ scale = [0.7, 1.3] }},"
                " { add = [...] } or { set = [...] }"
            )
        ((operation, numbers),) = data.items()
        if operation not in operations:
            raise ParameterError(
                f"{where}: unknown operation {operation!r}{known(operation, operations)}"
            )
        return cls(operation, distributions.distribution(numbers, where))

    def to_toml(self) -> dict[str, Any]:
        """Return what `parse` reads as the same range."""
        return {self.operation: distributions.to_toml(self.distribution)}
