"""Parameters on the scale of their priors: 0 is the prior's centre, 1 its standard deviation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Unknown
from sim2real.errors import CalibrationError, ParameterError
from sim2real.parameters.distributions import LogUniform
from sim2real.randomization.parameters import ParameterSet

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """An invertible map between `p` parameter values and z, in which the prior is about N(0, I).

    A log-uniform prior is mapped through the logarithm. Of a prior that is not normal, z has the
    same mean and standard deviation, and the bounds keep its support.
    """

    names: tuple[str, ...]
    nominal: Array
    centre: Array
    spread: Array
    logarithmic: NDArray[np.bool_]
    lower: Array
    """Bounds of the values, (p,)."""
    upper: Array

    @property
    def z_bounds(self) -> tuple[Array, Array]:
        """Bounds of z, each (p,)."""
        with np.errstate(divide="ignore"):
            return self.z(self.lower), self.z(self.upper)

    def values(self, z: Array) -> Array:
        """Return the parameter values (..., p) at z (..., p)."""
        x = self.centre + self.spread * z
        return np.clip(np.where(self.logarithmic, np.exp(x), x), self.lower, self.upper)

    def z(self, values: Array) -> Array:
        """Return z (..., p) at parameter values (..., p)."""
        x = np.where(self.logarithmic, np.log(np.where(self.logarithmic, values, 1.0)), values)
        return (x - self.centre) / self.spread

    def slope(self, z: Array) -> Array:
        """Return d value / d z (p,) at z (p,)."""
        return self.spread * np.where(self.logarithmic, self.values(z), 1.0)

    @classmethod
    def of(
        cls, unknowns: Sequence[Unknown], parameters: ParameterSet, timestep: float
    ) -> "Coordinates":
        """Return the coordinates of what is asked for; raises CalibrationError.

        Args:
            unknowns: `p` of them.
            parameters: those of the model, the unknowns' among them.
            timestep: of the physics [s].
        """
        of_model = [parameters.names.index(unknown.parameter) for unknown in unknowns]
        nominal, bounds = parameters.nominal[of_model], parameters.bounds[of_model]
        rows = [
            _row(*what, timestep) for what in zip(unknowns, nominal.tolist(), bounds, strict=True)
        ]
        centre, spread, logarithmic, lower, upper = np.array(rows).T
        return cls(
            names=tuple(unknown.name for unknown in unknowns),
            nominal=nominal,
            centre=centre,
            spread=spread,
            logarithmic=logarithmic.astype(bool),
            lower=lower,
            upper=upper,
        )


def _row(
    unknown: Unknown, nominal: float, physical: Array, timestep: float
) -> tuple[float, float, bool, float, float]:
    name, prior = unknown.name, unknown.prior
    u = (np.arange(1000) + 0.5) / 1000
    x = prior.values(nominal, u)
    logarithmic = isinstance(prior.distribution, LogUniform) and bool((x > 0).all())
    x = np.log(x) if logarithmic else x
    given = unknown.belief.bounds or (-np.inf, np.inf)
    low, high = prior.bounds(nominal)
    if -np.inf < low < physical[0] or physical[1] < high < np.inf:
        raise ParameterError(
            f"{name}: its prior [{low:g}, {high:g}] leaves what is physically possible,"
            f" [{physical[0]:g}, {physical[1]:g}]"
        )
    low, high = max(low, given[0], physical[0]), min(high, given[1], physical[1])
    if name.endswith(".delay"):  # of an actuator
        low = max(low, timestep)  # MuJoCo jumps between no delay and one physics step
    if not low < high or not np.std(x) > 0:
        raise CalibrationError(
            f"{name}: its prior {prior.to_toml()} and bounds {list(given)} leave nothing to fit"
            f" (nominal {nominal:g}, physical {list(map(float, physical))}): widen the prior"
        )
    return float(np.mean(x)), float(np.std(x)), logarithmic, low, high
