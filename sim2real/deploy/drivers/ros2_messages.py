"""Messages of ROS 2 that drive a robot, as bytes: no ROS is needed to read or write them."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from sim2real.deploy.driver import Array
from sim2real.deploy.drivers.cdr import CdrReader, CdrTemplate
from sim2real.errors import LinkError, known

_STAMP = 4  # where seconds and nanoseconds stand in a message that begins with a header
_COVARIANCE = 9


@dataclass(frozen=True, kw_only=True)
class Joints:
    """What of a `sensor_msgs/JointState` belongs to a robot."""

    stamp: int
    """[ns]."""
    position: Array
    """(njoint,) [rad, or m]."""
    velocity: Array
    """(njoint,) [rad/s, or m/s]."""


@dataclass(frozen=True, kw_only=True)
class Imu:
    """What of a `sensor_msgs/Imu` belongs to a robot."""

    stamp: int
    """[ns]."""
    orientation: Array
    """w x y z (4,); the message has x y z w."""
    angular_velocity: Array
    """(3,) [rad/s]."""


def text_message(text: str) -> bytes:
    """Return a `std_msgs/String`."""
    template = CdrTemplate()
    template.text(text)
    return bytes(template.data)


@final
class JointStateDecoder:
    """Reads `sensor_msgs/JointState`: joints by name, whatever their order; others are left out.

    Names hardly ever change: while the same bytes stand between stamp and numbers, they are not
    read again.
    """

    def __init__(self, joints: tuple[str, ...]):
        self._joints = joints
        self._encoding, self._names = -1, b""
        self._count, self._order = 0, np.zeros(0, np.intp)

    def decode(self, data: bytes) -> Joints:
        """Return the robot's joints; raises LinkError for a message that does not tell them all."""
        reader = CdrReader(data)
        stamp = _stamp(reader)
        if data[1] == self._encoding and data.startswith(self._names, reader.offset):
            reader.offset += len(self._names)
        else:
            self._learn(data, reader)
        position, velocity = reader.numbers(), reader.numbers()
        if not len(position) == len(velocity) == self._count:
            raise LinkError(
                f"a JointState of {self._count} names with {len(position)} positions and"
                f" {len(velocity)} velocities: each joint needs both; let the robot's"
                " joint_state_broadcaster send them"
            )
        return Joints(
            stamp=stamp,
            position=position[self._order].astype(np.float64),
            velocity=velocity[self._order].astype(np.float64),
        )

    def _learn(self, data: bytes, reader: CdrReader) -> None:
        """Read the names, and find the robot's joints among them."""
        start = reader.offset
        reader.text()  # frame_id
        names = reader.texts()
        for joint in self._joints:
            if names.count(joint) != 1:
                raise LinkError(
                    f"joint {joint!r} is in the JointState {names.count(joint)} times, once is"
                    f" needed{known(joint, names)}"
                )
        self._order = np.array([names.index(joint) for joint in self._joints])
        self._count = len(names)
        self._encoding, self._names = data[1], data[start : reader.offset]


def decode_imu(data: bytes) -> Imu:
    """Return what a `sensor_msgs/Imu` says; raises LinkError."""
    reader = CdrReader(data)
    stamp = _stamp(reader)
    reader.text()  # frame_id
    x, y, z, w = reader.numbers(4)
    reader.numbers(_COVARIANCE)
    angular_velocity = reader.numbers(3).astype(np.float64)
    return Imu(stamp=stamp, orientation=np.array((w, x, y, z)), angular_velocity=angular_velocity)


def decode_array(data: bytes) -> Array:
    """Return the numbers of a `std_msgs/Float64MultiArray`; raises LinkError."""
    reader = CdrReader(data)
    for _ in range(reader.length()):
        reader.text()  # what a dimension is called
        reader.integers(2)
    reader.integers(1)  # where data begins
    return reader.numbers().astype(np.float64)


@final
class JointStateEncoder:
    """Writes `sensor_msgs/JointState` of joints that stay the same."""

    def __init__(self, joints: tuple[str, ...], frame: str = "", *, efforts: bool = False):
        template = CdrTemplate()
        template.integers(0, 0)
        template.text(frame)
        template.texts(joints)
        starts = [template.numbers(len(joints)) for _ in range(2)]
        effort = template.numbers(len(joints) if efforts else 0)
        self._data = template.data
        self._stamp = template.view(_STAMP, "<i4", 2)
        self._position, self._velocity = (
            template.view(start, "<f8", len(joints)) for start in starts
        )
        self._effort = template.view(effort, "<f8", len(joints) if efforts else 0)

    def encode(
        self, stamp: int, position: ArrayLike, velocity: ArrayLike, effort: ArrayLike = ()
    ) -> bytes:
        """Return the message; `stamp` [ns], efforts if the encoder was made with them."""
        self._stamp[:] = divmod(stamp, 1_000_000_000)
        self._position[:], self._velocity[:], self._effort[:] = position, velocity, effort
        return bytes(self._data)


@final
class ImuEncoder:
    """Writes `sensor_msgs/Imu` of an orientation and a gyroscope; accelerations are not told."""

    def __init__(self, frame: str = ""):
        template = CdrTemplate()
        template.integers(0, 0)
        template.text(frame)
        orientation = template.numbers(4, fixed=True)
        template.numbers(_COVARIANCE, fixed=True)
        angular_velocity = template.numbers(3, fixed=True)
        template.numbers(_COVARIANCE + 3, fixed=True)
        unknown = template.numbers(_COVARIANCE, fixed=True)
        self._data = template.data
        self._stamp = template.view(_STAMP, "<i4", 2)
        self._orientation = template.view(orientation, "<f8", 4)
        self._angular_velocity = template.view(angular_velocity, "<f8", 3)
        template.view(unknown, "<f8", 1)[:] = -1.0  # as sensor_msgs says it of what is not measured

    def encode(self, stamp: int, orientation: ArrayLike, angular_velocity: ArrayLike) -> bytes:
        """Return the message.

        Args:
            stamp: [ns].
            orientation: w x y z (4,); the message has x y z w.
            angular_velocity: (3,) [rad/s].
        """
        self._stamp[:] = divmod(stamp, 1_000_000_000)
        self._orientation[:] = np.roll(np.asarray(orientation), -1)
        self._angular_velocity[:] = angular_velocity
        return bytes(self._data)


@final
class ArrayEncoder:
    """Writes `std_msgs/Float64MultiArray`: what forward_command_controller and its kin take."""

    def __init__(self, count: int):
        template = CdrTemplate()
        template.integers(0, 0)  # no dimensions, data from the start
        start = template.numbers(count)
        self._data, self._values = template.data, template.view(start, "<f8", count)

    def encode(self, values: ArrayLike) -> bytes:
        """Return the message."""
        self._values[:] = values
        return bytes(self._data)


@final
class TrajectoryEncoder:
    """Writes `trajectory_msgs/JointTrajectory` of one point: for joint_trajectory_controller.

    Its stamp is 0: the controller begins when it comes, and is there `seconds` later.
    """

    def __init__(self, joints: tuple[str, ...], seconds: float):
        template = CdrTemplate()
        template.integers(0, 0)
        template.text("")
        template.texts(joints)
        template.integers(1)
        start = template.numbers(len(joints))
        for _ in ("velocities", "accelerations", "effort"):
            template.numbers(0)
        template.integers(*divmod(round(seconds * 1e9), 1_000_000_000))
        self._data, self._values = template.data, template.view(start, "<f8", len(joints))

    def encode(self, values: ArrayLike) -> bytes:
        """Return the message."""
        self._values[:] = values
        return bytes(self._data)


def _stamp(reader: CdrReader) -> int:
    seconds, nanoseconds = reader.integers(2)
    if seconds == nanoseconds == 0:
        raise LinkError("a message whose header.stamp is 0: its age cannot be told")
    return seconds * 1_000_000_000 + nanoseconds
