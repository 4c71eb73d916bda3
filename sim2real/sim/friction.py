"""Joints that are harder to start than to keep moving."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.sim.table import Table

Array = NDArray[np.float64]

NOMINAL = {"stiction": 0.0, "stribeck_velocity": 0.1}
_FASTEST = 30.0  # beyond, exp(-x²) is 0 anyway


@final
class Stiction:
    """Breakaway friction of `njoint` joints above their Coulomb friction (`frictionloss`).

    MuJoCo's LuGre friction belongs to its `dcmotor`, which other engines have not; its constraint
    `frictionloss` already holds a joint still, so a level that depends on speed is all it takes.
    """

    def __init__(self, nsim: int, njoint: int):
        self.parameters = Table(nsim, njoint, NOMINAL)

    @property
    def used(self) -> bool:
        """Whether any joint sticks."""
        return self.parameters.uses("stiction")

    def friction(self, coulomb: Array, velocity: Array) -> Array:
        """Return the friction (nsim, njoint) at velocities (nsim, njoint)."""
        value = self.parameters.value
        return stribeck(coulomb, value("stiction"), value("stribeck_velocity"), velocity)


def stribeck(coulomb: Array, stiction: Array, scale: Array, velocity: Array) -> Array:
    """Return F(v) = Fc + (Fs - Fc) exp(-(v/vs)²) (Armstrong-Hélouvry et al. 1994).

    Args:
        coulomb: Fc, of a joint that moves.
        stiction: Fs - Fc, how much more it takes to break it loose.
        scale: vs, the Stribeck velocity.
        velocity: v.
    """
    ratio = np.minimum(np.abs(velocity) / scale, _FASTEST)
    return coulomb + stiction * np.exp(-(ratio**2))
