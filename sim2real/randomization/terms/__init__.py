"""What can be randomized or calibrated: one class a parameter, one file a kind of element."""

import mujoco

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.randomization.terms import actuator, body, geom, joint, option, sensor
from sim2real.randomization.terms.term import Term

TERMS: dict[str, type[Term]] = {
    "actuator.delay": actuator.Delay,
    "actuator.gain": actuator.Gain,
    "actuator.kd": actuator.Kd,
    "actuator.kp": actuator.Kp,
    "actuator.torque_limit": actuator.TorqueLimit,
    "body.ipos": body.CentreOfMass,
    "body.mass": body.Mass,
    "geom.friction": geom.Friction,
    "joint.armature": joint.Armature,
    "joint.damping": joint.Damping,
    "joint.frictionloss": joint.FrictionLoss,
    "joint.stiffness": joint.Stiffness,
    "joint.position_bias": sensor.PositionBias,
    "joint.position_noise": sensor.PositionNoise,
    "joint.velocity_bias": sensor.VelocityBias,
    "joint.velocity_noise": sensor.VelocityNoise,
    "opt.gravity": option.Gravity,
}
"""`kind.attribute` of a parameter's name → the term that writes it."""


def make_term(model: mujoco.MjModel, text: str, joints: tuple[str, ...]) -> Term:
    """Return the term of the parameter `text` on `model`; raises ParameterError.

    Args:
        model: the nominal model.
        text: a parameter name such as `body.torso.mass`.
        joints: the robot's joints in order, for sensor parameters.
    """
    name = ParameterName.parse(text)
    key = f"{name.kind}.{name.attribute}"
    if key not in TERMS:
        raise ParameterError(f"{text!r}: there is no parameter {key!r}{known(key, TERMS)}")
    return TERMS[key](model, name, joints)
