"""What the robot's encoders report of the true joint state: bias and noise, per simulation."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.signals import Measured

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sensors:
    """Sensor parameters of n simulations, each array (nsim, njoint), in rad and rad/s."""

    position_bias: Array
    position_noise: Array
    velocity_bias: Array
    velocity_noise: Array

    @classmethod
    def perfect(cls, nsim: int, njoint: int) -> "Sensors":
        """Return sensors that report the truth."""
        return cls(*(np.zeros((nsim, njoint)) for _ in range(4)))

    def of(self, ids: NDArray[np.int32]) -> "Sensors":
        """Return the sensors of simulations `ids` (n,)."""
        return Sensors(*(values[ids] for values in vars(self).values()))

    @property
    def noisy(self) -> bool:
        """Whether any of them has noise."""
        return bool(self.position_noise.any() or self.velocity_noise.any())

    def measure(self, truth: Measured, z: Array) -> Measured:
        """Return what is measured of the truth, signals of nsim robots.

        Args:
            truth: what perfect sensors would report.
            z: standard normal numbers (nsim, 2 njoint); whatever is finite if not `noisy`.
        """
        n = truth.position.shape[1]
        return dataclasses.replace(
            truth,
            position=truth.position + self.position_bias + self.position_noise * z[:, :n],
            velocity=truth.velocity + self.velocity_bias + self.velocity_noise * z[:, n:],
        )
