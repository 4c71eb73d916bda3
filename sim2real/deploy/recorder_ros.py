"""The messages of ROS 2 in a recording: for rosbags, Foxglove, PlotJuggler, `ros2 bag play`."""

import json
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from mcap.writer import Writer

from sim2real.deploy.driver import Array
from sim2real.deploy.drivers.ros2_messages import ImuEncoder, JointStateEncoder, text_message
from sim2real.deploy.recording import STEPS

_RULE = "=" * 80
_HEADER = f"""\
{_RULE}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
{_RULE}
MSG: builtin_interfaces/Time
int32 sec
uint32 nanosec
"""
_JOINT_STATE = f"""\
std_msgs/Header header
string[] name
float64[] position
float64[] velocity
float64[] effort
{_HEADER}"""
_IMU = f"""\
std_msgs/Header header
geometry_msgs/Quaternion orientation
float64[9] orientation_covariance
geometry_msgs/Vector3 angular_velocity
float64[9] angular_velocity_covariance
geometry_msgs/Vector3 linear_acceleration
float64[9] linear_acceleration_covariance
{_HEADER}{_RULE}
MSG: geometry_msgs/Quaternion
float64 x 0
float64 y 0
float64 z 0
float64 w 1
{_RULE}
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
"""


@final
class RosTopics:
    """`/joint_states` and, of a floating base, `/imu`; `/joint_commands` where something was sent.

    A command is a JointState as well: positions of servos, efforts of motors, NaN for the other;
    and so is what the source wanted, `/wanted_commands`. What no message has, and all else without
    loss, is JSON in a `std_msgs/String`: PlotJuggler 3 gives up on a file that has a channel
    without a schema, and rosbags on a schema that is none of ROS 2.
    """

    def __init__(self, header: Mapping[str, Any], writer: Writer):
        """Begin the topics in a file, with all that was noted of the run's steps in two of them.

        Args:
            header: what the recorder notes of the run.
            writer: of the file, begun with the profile ros2.
        """
        self._writer, self._servo = writer, np.array(header["modes"]) == "position"
        self._states = JointStateEncoder(tuple(header["joints"]))
        self._commands = JointStateEncoder(tuple(header["driven"]), efforts=True)
        text = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data\n")
        self._topics = {name: writer.register_channel(name, "cdr", text) for name in STEPS}
        self._imu = ImuEncoder("base") if "orientation" in header["signals"] else None
        joints = writer.register_schema(
            "sensor_msgs/msg/JointState", "ros2msg", _JOINT_STATE.encode()
        )
        for name in ("/joint_states", "/joint_commands", "/wanted_commands"):
            self._topics[name] = writer.register_channel(name, "cdr", joints)
        if self._imu is not None:
            imu = writer.register_schema("sensor_msgs/msg/Imu", "ros2msg", _IMU.encode())
            self._topics["/imu"] = writer.register_channel("/imu", "cdr", imu)

    def add_step(self, now: int, measured: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """Write what was measured and what came of it, in words that JSON has."""
        for topic, content in zip(STEPS, (measured, sent), strict=True):
            self._write(topic, now, text_message(json.dumps(content)))

    def add(
        self, now: int, received: int, signals: Mapping[str, Array], command: Array, wanted: Array
    ) -> None:
        """Write a row.

        Args:
            now: when it was decided, since 1970 [ns].
            received: when the measurement was fresh [ns].
            signals: what was measured, each (size,).
            command: what was sent (ncommand,); NaN if the robot damps.
            wanted: what the source asked for (ncommand,); NaN if it was not asked.
        """
        states = self._states.encode(received, signals["position"], signals["velocity"])
        self._write("/joint_states", now, states)
        if self._imu is not None:
            turned, turning = signals["orientation"], signals["angular_velocity"]
            self._write("/imu", now, self._imu.encode(received, turned, turning))
        for topic, values in (("/joint_commands", command), ("/wanted_commands", wanted)):
            if np.isfinite(values).any():
                position = np.where(self._servo, values, np.nan)
                effort = np.where(self._servo, np.nan, values)
                told = self._commands.encode(now, position, np.full(len(values), np.nan), effort)
                self._write(topic, now, told)

    def _write(self, topic: str, now: int, data: bytes) -> None:
        self._writer.add_message(self._topics[topic], now, data, now)
