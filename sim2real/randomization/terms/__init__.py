"""What can be randomized or calibrated: one class a parameter, one file a kind of element."""

import mujoco

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.randomization.terms import (
    actuator,
    body,
    contact,
    frame,
    geom,
    joint,
    motor,
    option,
    push,
    sensor,
    servo,
    terrain,
    vision,
)
from sim2real.randomization.terms.term import Term

TERMS: dict[str, type[Term]] = {
    "actuator.backlash": servo.Backlash,
    "actuator.cogging": motor.Cogging,
    "actuator.deadband": servo.Deadband,
    "actuator.delay": actuator.Delay,
    "actuator.delay_jitter": actuator.DelayJitter,
    "actuator.dropout": servo.CommandDropout,
    "actuator.encoder_resolution": servo.EncoderResolution,
    "actuator.failure_time": servo.FailureTime,
    "actuator.frequency_scale": actuator.FrequencyScale,
    "actuator.gain": actuator.Gain,
    "actuator.gear": actuator.Gear,
    "actuator.gear_ratio_scale": motor.GearRatio,
    "actuator.inductance": motor.Inductance,
    "actuator.kd": actuator.Kd,
    "actuator.kp": actuator.Kp,
    "actuator.lugre": motor.LuGre,
    "actuator.motor_constant": motor.MotorConstant,
    "actuator.no_load_speed": servo.NoLoadSpeed,
    "actuator.resistance": motor.Resistance,
    "actuator.saturation": servo.Saturation,
    "actuator.strength": actuator.Strength,
    "actuator.temperature": servo.Temperature,
    "actuator.thermal_fade": servo.ThermalFade,
    "actuator.thermal_loss": servo.ThermalLoss,
    "actuator.thermal_time": servo.ThermalTime,
    "actuator.torque_limit": actuator.TorqueLimit,
    "actuator.voltage": motor.Voltage,
    "actuator.voltage_sag": servo.VoltageSag,
    **sensor.flaws(sensor.BaseSensor, "body", "orientation", "rad"),
    **sensor.flaws(sensor.BaseSensor, "body", "angular_velocity", "rad/s"),
    "body.gravcomp": frame.GravityCompensation,
    "body.imu_tilt": sensor.ImuTilt,
    "body.inertia_scale": body.InertiaScale,
    "body.ipos": body.CentreOfMass,
    "body.length": body.Length,
    "body.length_at_mass": body.LengthAtMass,
    "body.mass": body.Mass,
    "body.payload": body.Payload,
    "body.payload_pos": body.PayloadPosition,
    "body.pos": frame.BodyPosition,
    "body.pseudo_inertia": body.PseudoInertia,
    "body.push_duration": push.PushDuration,
    "body.push_elevation": push.PushElevation,
    "body.push_force": push.PushForce,
    "body.push_interval": push.PushInterval,
    "body.rotation": frame.BodyRotation,
    "body.wrench": push.Wrench,
    "camera.fovy": vision.CameraFieldOfView,
    "camera.pos": vision.CameraPosition,
    "camera.rotation": vision.CameraRotation,
    "geom.friction": geom.Friction,
    "geom.margin": geom.Margin,
    "geom.pos": geom.Position,
    "geom.restitution": contact.Restitution,
    "geom.rgba": vision.GeomColour,
    "geom.size": geom.Size,
    "geom.solimp": geom.Impedance,
    "geom.solref": contact.Softness,
    "geom.tile": terrain.Tile,
    "joint.armature": joint.Armature,
    "joint.damping": joint.Damping,
    "joint.frictionloss": joint.FrictionLoss,
    "joint.load_friction": servo.LoadFriction,
    "joint.load_stiction": servo.LoadStiction,
    **sensor.flaws(sensor.JointSensor, "joint", "position", "rad"),
    "joint.range": joint.Range,
    "joint.ref": joint.Reference,
    "joint.springref": joint.SpringRest,
    "joint.stiction": servo.StictionTerm,
    "joint.stiffness": joint.Stiffness,
    "joint.stribeck_velocity": servo.StribeckVelocity,
    **sensor.flaws(sensor.JointSensor, "joint", "velocity", "rad/s"),
    "light.ambient": vision.LightAmbient,
    "light.diffuse": vision.LightDiffuse,
    "light.pos": vision.LightPosition,
    "light.rotation": vision.LightRotation,
    "light.specular": vision.LightSpecular,
    "material.reflectance": vision.MaterialReflectance,
    "material.rgba": vision.MaterialColour,
    "material.shininess": vision.MaterialShininess,
    "material.specular": vision.MaterialSpecular,
    "opt.density": option.Density,
    "opt.gravity": option.Gravity,
    "opt.tilt": option.Tilt,
    "opt.timestep": option.Timestep,
    "opt.viscosity": option.Viscosity,
    "opt.wind": option.Wind,
    "site.pos": frame.SitePosition,
    "site.rotation": frame.SiteRotation,
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
