"""Dry friction of joints that depends on their speed and on what their gears carry."""

from typing import final

import numpy as np

from sim2real.sim.table import Array, Table

NOMINAL = {
    "stiction": 0.0,
    "stribeck_velocity": 0.1,
    "load_friction": 0.0,
    "load_stiction": 0.0,
}
_FASTEST = 30.0  # beyond, exp(-x²) is 0 anyway


@final
class DryFriction:
    """What `njoint` joints have beyond their Coulomb friction (`frictionloss`).

    MuJoCo's LuGre friction belongs to its `dcmotor`, which other engines have not, and knows no
    load; its constraint `frictionloss` already holds a joint still, so a level that follows speed
    and load is all it takes.
    """

    def __init__(self, nsim: int, njoint: int):
        self.parameters = Table(nsim, njoint, NOMINAL)
        self.memory: dict[str, Array] = {}
        """`load` (nsim, njoint): of the physics step before, where an engine has no newer one."""

    @property
    def used(self) -> bool:
        """Whether any joint has more than Coulomb friction."""
        return self.parameters.uses("stiction", "load_friction", "load_stiction")

    @property
    def loaded(self) -> bool:
        """Whether any joint's friction grows with its load."""
        return self.parameters.uses("load_friction", "load_stiction")

    def level(self, coulomb: Array, velocity: Array, load: Array | None) -> Array:
        """Return the friction (nsim, njoint) at velocities and loads (nsim, njoint)."""
        value = self.parameters.value
        moving, extra = coulomb, value("stiction")
        if self.loaded:
            assert load is not None  # an engine gives it where `loaded`
            moving = moving + value("load_friction") * load
            extra = extra + value("load_stiction") * load
        return stribeck(moving, extra, value("stribeck_velocity"), velocity)


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


def transmitted(motor: Array, bias: Array) -> Array:
    """Return |τm - τe|, the torque between motor and load that presses a gear's teeth together.

    The load of the friction models M3 and M4 of Duclusaud et al. 2024 (Extended friction models for
    the physics simulation of servo actuators, eq. 9).

    Args:
        motor: τm, torque of the motor at the joint.
        bias: -τe, what gravity and the other joints' motion ask of it (MuJoCo's `qfrc_bias`).
    """
    return np.abs(motor + bias)
