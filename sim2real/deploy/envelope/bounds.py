"""The bounds of a robot as arrays: one object for n simulations in training and for the robot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.control import Servos
from sim2real.robot import Joint, Robot
from sim2real.signals import measured_signals

Array = NDArray[np.float64]

# where there is no bound: finite, so that an infinite measurement is none that may be believed
_LARGEST = float(np.finfo(np.float64).max)
_UNIT = 1.01  # what a number of a unit quaternion may be, rounded


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What may be believed of a robot and what may be sent to it.

    Arrays are of all that it measures in one row (m,), or of its commands (ncommand,).
    """

    names: tuple[str, ...]
    """What each number of a measured row is: position of 'knee'."""
    low: Array
    """Least that is believed of each (m,); finite, so that infinity is never believed."""
    high: Array
    """Most that is believed of each (m,)."""
    driven: tuple[str, ...]
    servos: Servos
    """Which joints are driven, their gains and torque limits."""
    command: tuple[Array, Array]
    """Lowest and highest command [Nm, or rad]."""
    rate: Array
    """Largest change of a command in a control step; infinite in torque mode."""
    stop: tuple[Array, Array]
    """Positions between which a joint is brought to rest [rad]; infinite without limits."""
    velocity: Array
    """Largest velocity [rad/s]."""
    braking: Array
    """Deceleration that a joint is trusted with in every pose, with every load [rad/s²]."""
    cos_tilt: float
    """Least cosine of the angle between the base's vertical axis and the world's."""
    novelty: float
    """See `EnvelopeOptions`; infinite where anything is borne."""
    temperature: float
    voltage: tuple[float, float]
    lag: float
    """See `EnvelopeOptions`."""
    max_age: float
    """Oldest measurement to act on [s]; a command is leased for as long."""
    period: float
    """Of control steps [s]."""
    overruns: int

    @classmethod
    def of(cls, robot: Robot, *, max_age: float | None = None) -> "Envelope":
        """Return the robot's envelope."""
        options, joints = robot.envelope, [robot.joints[name] for name in robot.driven]
        servo = np.array([joint.mode == "position" for joint in joints])
        position = np.array([_position(joint) for joint in joints])
        velocity = np.array([_velocity(joint) for joint in joints])
        command = np.array([_command(joint) for joint in joints])
        rows = [
            (f"{signal} of {of!r}", low, high)
            for signal in measured_signals(robot)
            for of, low, high in _believed(robot, signal)
        ]
        return cls(
            names=tuple(name for name, _, _ in rows),
            low=np.array([low for _, low, _ in rows]),
            high=np.array([high for _, _, high in rows]),
            driven=robot.driven,
            servos=Servos.of(robot),
            command=(command[:, 0], command[:, 1]),
            rate=np.where(servo, velocity / robot.control_hz, np.inf),
            stop=(position[:, 0] + options.margin, position[:, 1] - options.margin),
            velocity=velocity,
            braking=velocity / [options.braking_of(name) for name in robot.driven],
            cos_tilt=-1.0 if options.tilt is None else float(np.cos(min(options.tilt, np.pi))),
            novelty=np.inf if options.novelty is None else options.novelty,
            temperature=options.temperature or np.inf,
            voltage=options.voltage or (-np.inf, np.inf),
            lag=options.lag,
            max_age=max_age or options.lease or max(0.2, 5.0 / robot.control_hz),
            period=1.0 / robot.control_hz,
            overruns=options.overruns,
        )


def _believed(robot: Robot, signal: str) -> list[tuple[str, float, float]]:
    """Return name, least and most of each number of a signal."""
    options = robot.envelope
    if signal == "orientation":
        return [(part, -_UNIT, _UNIT) for part in "wxyz"]
    if signal == "angular_velocity":
        return [(part, -options.turn_rate, options.turn_rate) for part in "xyz"]
    if signal == "velocity":
        return [(name, *_speeds(joint)) for name, joint in robot.joints.items()]
    return [(name, *_widened(joint, options.tolerance)) for name, joint in robot.joints.items()]


def _widened(joint: Joint, tolerance: float) -> tuple[float, float]:
    if joint.limits is None or joint.limits.position is None:
        return -_LARGEST, _LARGEST
    low, high = joint.limits.position
    return low - tolerance, high + tolerance


def _speeds(joint: Joint) -> tuple[float, float]:
    largest = joint.limits.velocity if joint.limits else _LARGEST
    return -largest, largest


def _position(joint: Joint) -> tuple[float, float]:
    return (joint.limits and joint.limits.position) or (-np.inf, np.inf)


def _velocity(joint: Joint) -> float:
    assert joint.limits is not None  # checked by Joint
    return joint.limits.velocity


def _command(joint: Joint) -> tuple[float, float]:
    assert joint.limits is not None  # checked by Joint
    if joint.mode == "torque":
        return (-joint.limits.torque, joint.limits.torque)
    return _position(joint)
