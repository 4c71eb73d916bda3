"""The worlds of a robot as a unit cube: each parameter by its own quantiles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.parameters import ParameterSet

Array = NDArray[np.float64]

_EDGE = 1e-6
"""Of the cube: distributions without end have no value at 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class WorldSpace:
    """The parameters of a sweep, in the order of the environment's randomizer.

    Each is swept over its own distribution, as far as it is physical. Correlations are left out:
    effects of parameters that move together could not be told apart.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    nominal: Array
    ranges: tuple[Range | None, ...]
    """None where the posterior says it."""
    parameters: ParameterSet
    """What is physical."""
    posterior: Posterior | None = None

    @classmethod
    def of(cls, env: RobotVectorEnv, posterior: Posterior | None = None) -> "WorldSpace":
        """Return the space of the environment's worlds; raises ConfigError if there is none."""
        parameters = env.randomizer.parameters
        if not parameters.names:
            raise ConfigError(f"robot {env.robot.name!r} randomizes nothing: there is no sweep")
        known = () if posterior is None else posterior.names
        ranges = env.robot.ranges
        return cls(
            names=parameters.names,
            units=tuple(term.unit for term in parameters.terms),
            nominal=parameters.nominal,
            ranges=tuple(None if name in known else ranges[name] for name in parameters.names),
            parameters=parameters,
            posterior=posterior,
        )

    def values(self, u: Array) -> Array:
        """Return the parameters (n, p) at the quantiles `u` (n, p)."""
        u = np.clip(u, _EDGE, 1 - _EDGE)
        columns = [self._column(i, u[:, i]) for i in range(len(self.names))]
        values = np.stack(columns, axis=1)
        return self.parameters.clip(values, np.broadcast_to(self.nominal, values.shape))

    def _column(self, i: int, u: Array) -> Array:
        item = self.ranges[i]
        if item is not None:
            return item.values(float(self.nominal[i]), u)
        from scipy.special import ndtri

        assert self.posterior is not None  # else there is a range
        k = self.posterior.names.index(self.names[i])
        values = self.posterior.mean[k] + self.posterior.std[k] * ndtri(u)
        return np.clip(values, self.posterior.lower[k], self.posterior.upper[k])
