"""What can be randomized or calibrated: one class a parameter, one file a kind of element."""

import mujoco

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.randomization.terms import (
    actuator,
    body,
    geom,
    joint,
    option,
    push,
    sensor,
    servo,
)
from sim2real.randomization.terms.term import Term

TERMS: dict[str, type[Term]] = {
    "actuator.backlash": servo.Backlash,
    "actuator.deadband": servo.Deadband,
    "actuator.delay": actuator.Delay,
    "actuator.delay_jitter": actuator.DelayJitter,
    "actuator.dropout": servo.CommandDropout,
    "actuator.encoder_resolution": servo.EncoderResolution,
    "actuator.failure_time": servo.FailureTime,
    "actuator.gain": actuator.Gain,
    "actuator.kd": actuator.Kd,
    "actuator.kp": actuator.Kp,
    "actuator.no_load_speed": servo.NoLoadSpeed,
    "actuator.strength": servo.Strength,
    "actuator.thermal_fade": servo.ThermalFade,
    "actuator.thermal_time": servo.ThermalTime,
    "actuator.torque_limit": actuator.TorqueLimit,
    "actuator.voltage_sag": servo.VoltageSag,
    **sensor.flaws(sensor.BaseSensor, "body", "orientation", "rad"),
    **sensor.flaws(sensor.BaseSensor, "body", "angular_velocity", "rad/s"),
    "body.imu_tilt": sensor.ImuTilt,
    "body.ipos": body.CentreOfMass,
    "body.mass": body.Mass,
    "body.push_duration": push.PushDuration,
    "body.push_elevation": push.PushElevation,
    "body.push_force": push.PushForce,
    "body.push_interval": push.PushInterval,
    "body.wrench": push.Wrench,
    "geom.friction": geom.Friction,
    "joint.armature": joint.Armature,
    "joint.damping": joint.Damping,
    "joint.frictionloss": joint.FrictionLoss,
    "joint.stiffness": joint.Stiffness,
    "joint.stiction": servo.StictionTerm,
    "joint.stribeck_velocity": servo.StribeckVelocity,
    **sensor.flaws(sensor.JointSensor, "joint", "position", "rad"),
    **sensor.flaws(sensor.JointSensor, "joint", "velocity", "rad/s"),
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
