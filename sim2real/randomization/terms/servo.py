"""Terms of real drives: wear, play, heat, supply, friction; nominally an ideal actuator."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.actuator import is_dcmotor
from sim2real.randomization.terms.effect import EffectTerm, joint_index, servo_id
from sim2real.randomization.terms.term import between, element_id
from sim2real.sim import commands, friction, servos
from sim2real.sim.effects import Effects
from sim2real.sim.table import Table


class _DriveTerm(EffectTerm):
    """A number of an actuator's drive."""

    defaults = servos.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        return element_id(model, self.name)

    def table(self, effects: Effects) -> Table:
        return effects.servos.parameters


class _SupplyTerm(_DriveTerm):
    """A number of what speed and supply leave of an ideal actuator's torque."""

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        actuator = super().column(model, joints)
        if is_dcmotor(model, actuator):
            raise self.refuse(
                "a DC motor's circuit says what speed and supply leave of its torque: draw its"
                f" voltage (actuator.{self.name.object}.voltage)"
            )
        return actuator


class _IdealTerm(_DriveTerm):
    """A number of what an actuator without a circuit gives less than an ideal one."""

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        actuator = super().column(model, joints)
        if is_dcmotor(model, actuator):
            raise self.refuse(
                "a DC motor's circuit says what current makes of its torque: draw its constant or"
                f" its resistance (actuator.{self.name.object}.motor_constant)"
            )
        return actuator


class _ServoTerm(EffectTerm):
    """A number of a position servo's own loop."""

    defaults = servos.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        return servo_id(model, self.name)

    def table(self, effects: Effects) -> Table:
        return effects.servos.parameters


class _JointTerm(EffectTerm):
    """A number of a joint's friction."""

    defaults = friction.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        return joint_index(self.name, joints)

    def table(self, effects: Effects) -> Table:
        return effects.friction.parameters


@final
class FailureTime(_DriveTerm):
    """When a drive breaks: from then on it gives no torque."""

    summary = "when the drive breaks and gives no more torque"
    unit, bounds, parameter = "s", (0.0, np.inf), "failure_time"
    source = "robogym breaks actuators for whole episodes: 0; no convention for later"


@final
class Deadband(_ServoTerm):
    """Error to either side of the command that a servo ignores."""

    summary = "error to either side of the command that a servo ignores"
    unit, bounds, parameter = "rad", (0.0, np.inf), "deadband"
    usual, source = between(0.0, 0.003), "two steps of a 12-bit encoder; no published convention"


@final
class EncoderResolution(_ServoTerm):
    """Step in which a servo's own loop sees its position (2π/4096 for twelve bits)."""

    summary = "step in which a servo's own loop sees its position; 0: none"
    unit, bounds, parameter = "rad", (0.0, np.inf), "encoder_resolution"
    usual, source = between(0.0, 0.0015), "12 bits a turn, as Dynamixel and Feetech servos have"


@final
class Backlash(_DriveTerm):
    """Whole width of the play between motor and joint; the sensors sit on the joint's side."""

    summary = "play between motor and joint, from end to end"
    unit, bounds, parameter = "rad", (0.0, np.inf), "backlash"
    usual, source = between(0.0, 0.01), "half a degree, of hobby servos; no published convention"


@final
class NoLoadSpeed(_SupplyTerm):
    """Speed at which nothing is left of a motor's torque, falling linearly from standstill."""

    summary = "speed at which nothing is left of the torque"
    unit, bounds, parameter = "rad/s", (1e-9, np.inf), "no_load_speed"
    source = "the data sheet: no range fits all motors"


@final
class VoltageSag(_SupplyTerm):
    """Share of the supply voltage that is lost when all drives give their full torque."""

    summary = "share of the supply voltage that is lost when all drives give full torque"
    unit, bounds, parameter = "1", (0.0, 1.0), "voltage_sag"
    usual, source = between(0.0, 0.15), "a battery's own resistance; no published convention"


@final
class Saturation(_IdealTerm):
    """Share of an ideal motor's torque that saturated iron costs at the torque limit.

    In proportion below it. More than a half would be a motor that gives less for more current.
    """

    summary = "share of the torque that saturated iron costs at the torque limit"
    unit, bounds, parameter = "1", (0.0, 0.5), "saturation"
    usual, source = between(0.0, 0.3), "0.4 in logs of an XL330 servo; no published convention"


@final
class Temperature(_IdealTerm):
    """By how much a drive is warmer than where its nominal numbers hold, as its sensor says."""

    summary = "by how much the drive is warmer than where its numbers hold; acts by thermal_loss"
    unit, bounds, parameter = "K", (-100.0, 200.0), "temperature"
    usual, source = between(-10.0, 30.0), "a servo at rest and at work; no published convention"


@final
class ThermalLoss(_IdealTerm):
    """Torque that a drive loses with each kelvin: 1 / (1 + loss · temperature) is left.

    Copper's resistance grows by 0.004 1/K. A sensor on a servo's board warms up less than the
    winding, so what counts per kelvin that it tells is more.
    """

    summary = "torque lost with each kelvin of temperature: 1 / (1 + loss · temperature) is left"
    unit, bounds, parameter = "1/K", (0.0, 0.1), "thermal_loss"
    usual, source = between(0.0, 0.03), "copper 0.004; 0.03 in logs of an XL330 servo"


@final
class ThermalFade(_DriveTerm):
    """Share of the torque limit that is lost once full torque has heated the winding through."""

    summary = "share of the torque limit that is lost once full torque has heated the winding"
    unit, bounds, parameter = "1", (0.0, 1.0), "thermal_fade"
    usual, source = between(0.0, 0.3), "a small servo at full torque; no published convention"


@final
class ThermalTime(_DriveTerm):
    """Time constant of heating up and cooling down."""

    summary = "time constant of the winding's temperature"
    unit, bounds, parameter = "s", (1e-3, np.inf), "thermal_time"
    usual, source = (
        between(30.0, 120.0),
        "winding and case of a small servo; no published convention",
    )


@final
class StictionTerm(_JointTerm):
    """Breakaway friction above the Coulomb friction."""

    summary = "friction that breaks loose, above the Coulomb friction"
    unit, bounds, parameter = "Nm", (0.0, np.inf), "stiction"
    source = "a share of the joint's frictionloss: no range fits all joints"


@final
class StribeckVelocity(_JointTerm):
    """Speed over which friction falls from breakaway to Coulomb friction."""

    summary = "speed over which friction falls from breakaway to Coulomb friction"
    unit, bounds, parameter = "rad/s", (1e-6, np.inf), "stribeck_velocity"
    usual, source = between(0.01, 0.2), "around the nominal 0.1 rad/s; no published convention"


@final
class LoadFriction(_JointTerm):
    """Dry friction for each Nm between motor and load (M3 of Duclusaud et al. 2024)."""

    summary = "dry friction for a torque between motor and load, as of a loaded gear"
    unit, bounds, parameter = "1", (0.0, 1.0), "load_friction"
    usual, source = between(0.0, 0.3), "as robots/xl330"


@final
class LoadStiction(_JointTerm):
    """The same of what breaks loose, above `load_friction` (M4 of Duclusaud et al. 2024)."""

    summary = "breakaway friction for a torque between motor and load, above `load_friction`"
    unit, bounds, parameter = "1", (0.0, 1.0), "load_stiction"
    usual, source = between(0.0, 0.2), "as load_friction; no published convention"


@final
class CommandDropout(_DriveTerm):
    """Share of the commands that are lost on the way: the drive keeps the last one."""

    summary = "share of the commands that are lost: the drive keeps the last one"
    unit, bounds, parameter = "1", (0.0, 1.0), "dropout"
    usual, source = between(0.0, 0.05), "one packet in twenty; no published convention"
    defaults = commands.NOMINAL

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.commands.parameters
