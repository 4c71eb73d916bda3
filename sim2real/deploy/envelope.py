"""What may be believed of a robot and what may be sent to it: pure functions of arrays.

Comparisons are written so that NaN fails them: `not (x <= limit)`, never `x > limit`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.link import Measurement
from sim2real.robot import Joint, Robot
from sim2real.signals import Measured

Array = NDArray[np.float64]

_INFINITE = (-np.inf, np.inf)
_UNIT = 0.01  # how far the length of a quaternion may be from 1


class Verdict(IntEnum):
    """What the envelope says; a TRIP ends the run."""

    OK = 0
    CLIP = 1
    TRIP = 2


@dataclass(frozen=True)
class Check:
    """A verdict and, unless it is OK, its reason."""

    verdict: Verdict = Verdict.OK
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A robot's limits as arrays: of its joints (njoint,), of its commands (ncommand,)."""

    joints: tuple[str, ...]
    driven: tuple[str, ...]
    position: tuple[Array, Array]
    """Lowest and highest position to be measured (njoint,) [rad], tolerance included."""
    velocity: Array
    """Largest velocity to be measured (njoint,) [rad/s]."""
    index: NDArray[np.intp]
    """Where the driven joints stand among the joints (ncommand,)."""
    command: tuple[Array, Array]
    """Lowest and highest command (ncommand,) [Nm, or rad]."""
    rate: Array
    """Largest change of a command in a control step (ncommand,); infinite in torque mode."""
    lead: Array
    """kd / kp of a servo (ncommand,) [s]; 0 in torque mode."""
    reach: Array
    """Largest torque / kp of a servo (ncommand,) [rad]; infinite in torque mode."""
    max_age: float
    """Oldest measurement to act on [s]."""

    @classmethod
    def of(cls, robot: Robot, *, max_age: float, tolerance: float = 0.1) -> "Envelope":
        """Return the robot's envelope; `tolerance` [rad] is how far beyond its limits it may be."""
        joints = list(robot.joints.values())
        driven = [joint for joint in joints if joint.mode != "passive"]
        position = np.array([_position(joint) for joint in joints])
        command = np.array([_command(joint) for joint in driven])
        servo = np.array([joint.mode == "position" for joint in driven])
        kp = np.array([joint.kp if joint.mode == "position" else 1.0 for joint in driven])
        speed = np.array([_speed(joint) for joint in joints])
        index = np.array([i for i, joint in enumerate(joints) if joint.mode != "passive"])
        torque = np.array([joint.limits.torque for joint in driven if joint.limits])
        return cls(
            joints=tuple(robot.joints),
            driven=robot.driven,
            position=(position[:, 0] - tolerance, position[:, 1] + tolerance),
            velocity=speed,
            index=index,
            command=(command[:, 0], command[:, 1]),
            rate=np.where(servo, speed[index] / robot.control_hz, np.inf),
            lead=np.where(servo, np.array([joint.kd for joint in driven]) / kp, 0.0),
            reach=np.where(servo, torque / kp, np.inf),
            max_age=max_age,
        )


def check_measured(
    envelope: Envelope, measured: Measurement, previous: Measurement | None, now: int
) -> Check:
    """Return OK, or TRIP if the measurement is not one to act on.

    Args:
        envelope: the limits.
        measured: the newest measurement.
        previous: the one acted on before, if any.
        now: the time of this computer's clock [ns].
    """
    age = (now - measured.received) * 1e-9
    if previous is not None and not measured.seq >= previous.seq:
        return _trip(f"measurement {measured.seq} came after {previous.seq}: out of order")
    if not age <= envelope.max_age:
        return _trip(f"the newest measurement is {age:.3g} s old, at most {envelope.max_age:g} s")
    low, high = envelope.position
    position, velocity = measured.signals.position, measured.signals.velocity
    joints = envelope.joints
    return (
        _all(np.isfinite(position), joints, "position", position, "finite")
        or _all(np.isfinite(velocity), joints, "velocity", velocity, "finite")
        or _all(np.abs(velocity) <= envelope.velocity, joints, "velocity", velocity, "in limits")
        or _all((position >= low) & (position <= high), joints, "position", position, "in limits")
        or _check_imu(measured.signals)
        or Check()
    )


def limit_command(
    envelope: Envelope, command: Array, previous: Array, measured: Measured
) -> tuple[Array | None, Check]:
    """Return the command that may be sent (ncommand,), or None with a TRIP.

    Position commands change by at most the joint's largest velocity, ask of the servo at most its
    largest torque, |kp (q* - q) - kd dq| <= torque, and, first of all, stay within the limits.

    Args:
        envelope: the limits.
        command: what is wanted (ncommand,) [Nm, or rad].
        previous: what was sent before (ncommand,).
        measured: what the robot measures.
    """
    low, high = envelope.command
    if command.shape != low.shape:
        return None, _trip(f"the command has shape {command.shape}, expected {low.shape}")
    bad = _all(np.isfinite(command), envelope.driven, "command", command, "finite")
    if bad:
        return None, bad
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows fails the last check
        limited = _within(command, previous, envelope.rate)
        position, velocity = measured.position[envelope.index], measured.velocity[envelope.index]
        centre = position + envelope.lead * velocity
        limited = _within(limited, centre, envelope.reach)
        limited = np.minimum(np.maximum(limited, low), high)
        bad = _all((limited >= low) & (limited <= high), envelope.driven, "command", command,
                   "possible from what is measured")  # fmt: skip
        if bad:
            return None, bad
        kept = np.abs(limited - command) <= 1e-6  # float32 controllers round their limits
    clipped = _all(kept, envelope.driven, "command", command, "within limits")
    return limited, Check(Verdict.CLIP, clipped.reason) if clipped else Check()


def _check_imu(measured: Measured) -> Check | None:
    """Return a TRIP if a floating base's IMU says what cannot be."""
    if measured.orientation is None:
        return None
    if not np.isfinite(measured.angular_velocity).all():
        return _trip(f"the gyroscope says {measured.angular_velocity}: not finite")
    if not abs(np.linalg.norm(measured.orientation) - 1.0) <= _UNIT:
        return _trip(f"the orientation {measured.orientation} is no unit quaternion")
    return None


def _within(values: Array, centre: Array, radius: Array) -> Array:
    return np.minimum(np.maximum(values, centre - radius), centre + radius)


def _all(
    good: NDArray[np.bool_], names: tuple[str, ...], what: str, values: Array, should: str
) -> Check | None:
    """Return None if all are good, otherwise a TRIP that names the first bad joint."""
    if good.all():
        return None
    first = int(np.argmin(good))
    return _trip(f"{what} of {names[first]!r} is {values[first]:.4g}: not {should}")


def _trip(reason: str) -> Check:
    return Check(Verdict.TRIP, reason)


def _position(joint: Joint) -> tuple[float, float]:
    return (joint.limits and joint.limits.position) or _INFINITE


def _speed(joint: Joint) -> float:
    return joint.limits.velocity if joint.limits else np.inf


def _command(joint: Joint) -> tuple[float, float]:
    assert joint.limits is not None  # checked by Joint
    if joint.mode == "torque":
        return (-joint.limits.torque, joint.limits.torque)
    return joint.limits.position or _INFINITE
