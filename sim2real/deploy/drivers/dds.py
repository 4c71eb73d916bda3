"""A robot that speaks ROS 2, over DDS: no ROS is installed on this side.

Measurements are `sensor_msgs/JointState`, and `sensor_msgs/Imu` of a floating base; commands are
`std_msgs/Float64MultiArray` or `trajectory_msgs/JointTrajectory`, as ros2_control's controllers
take them.
"""

import contextlib
import time
from typing import final

import numpy as np

from sim2real.deploy.driver import Array, Command, Measurement, StopMode, check_command
from sim2real.deploy.drivers.dds_topics import Ends, Topics
from sim2real.deploy.drivers.robot_clock import RobotClock
from sim2real.deploy.drivers.ros2_messages import (
    ArrayEncoder,
    Imu,
    Joints,
    JointStateDecoder,
    TrajectoryEncoder,
    decode_imu,
)
from sim2real.errors import ConfigError, LinkError
from sim2real.robot import Robot
from sim2real.signals import Measured

_PATIENCE = 3.0  # s, for peers to find each other


@final
class DdsDriver:
    """A client of a ros2_control robot: `joint_state_broadcaster` and a controller of commands.

    Those controllers know no lease: what they were told last, they hold. Put the driver behind
    `robot_side.hold.serve`, in a process beside the robot, and it damps when a controller dies.
    """

    def __init__(
        self, robot: Robot, topics: Topics | None = None, *, domain: int = 0, network: str = ""
    ):
        """Describe the connection.

        Args:
            robot: the robot.
            topics: where its messages are.
            domain: ROS_DOMAIN_ID.
            network: Cyclone DDS's configuration as XML, like `dds_topics.LOOPBACK`; if not given,
                what the environment's CYCLONEDDS_URI says.

        Raises:
            ConfigError: `topics.joints` are not the robot's driven joints.
        """
        self.robot = robot
        self.topics = topics or Topics()
        self.refused = 0
        """Messages that could not be read."""
        self._domain_id, self._network = domain, network
        joints = self.topics.joints or robot.driven
        if sorted(joints) != sorted(robot.driven):
            raise ConfigError(f"topics.joints {joints} are not {', '.join(robot.driven)}")
        self._order = np.array([robot.driven.index(name) for name in joints])
        self._encoder = (
            ArrayEncoder(len(joints))
            if self.topics.message == "array"
            else TrajectoryEncoder(joints, 1.0 / robot.control_hz)
        )
        self._index = np.array([list(robot.joints).index(name) for name in robot.driven])
        self._servo = np.array([robot.joints[name].mode == "position" for name in robot.driven])
        self._gain = np.array([robot.joints[name].kd for name in robot.driven])
        self._ends: Ends | None = None

    def open(self) -> None:
        """Find robot and controller, and hold the measured pose."""
        if self._ends is not None:
            return
        self._decoder = JointStateDecoder(tuple(self.robot.joints))
        self._clock, self._seq = RobotClock(), 0
        self._joints: Joints | None = None
        self._imu: Imu | None = None
        self._latest: Measurement | None = None
        self._reason = ""
        self._ends = Ends(self.robot, self.topics, self._domain_id, self._network)
        try:
            self._find()
            self.stop()
        except BaseException:
            self.close()
            raise

    def read(self) -> Measurement | None:
        """Return the newest measurement."""
        ends = self._opened()
        if ends.rivals():
            raise LinkError(
                f"somebody else publishes on {self.topics.commands}: stop that program first; a"
                " robot takes commands from one"
            )
        for data in ends.imu():
            self._take(data, joints=False)
        for data in ends.states():
            self._take(data, joints=True)
        return self._latest

    def write(self, command: Command) -> None:
        """Publish a command; ros2_control's controllers know no lease."""
        ends = self._opened()
        check_command(self.robot, command)
        position = joints.position[self._index] if (joints := self._joints) else command.target
        self._publish(ends, command.softened(position, self._servo))

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        """Publish what damps: servos hold the measured pose, motors brake; OFF lets motors go."""
        with contextlib.suppress(Exception):
            if self._ends is not None and self._joints is not None:
                kd = self._gain * (mode != StopMode.OFF)
                position, velocity = self._joints.position, self._joints.velocity
                still = np.where(self._servo, position[self._index], -kd * velocity[self._index])
                self._publish(self._ends, still)

    def close(self) -> None:
        """Damp, and leave the network."""
        self.stop()
        if self._ends is not None:
            with contextlib.suppress(Exception):
                self._ends.close()
            self._ends = None

    def _opened(self) -> Ends:
        if self._ends is None:
            raise LinkError(f"the link to {self.topics.states} is not open: call open() first")
        return self._ends

    def _find(self) -> None:
        ends, deadline = self._opened(), time.monotonic() + _PATIENCE
        while self.read() is None or not ends.heard():
            if time.monotonic() > deadline:
                raise LinkError(self._missing(ends))
            time.sleep(0.01)

    def _missing(self, ends: Ends) -> str:
        topics = self.topics
        if self._joints is None:
            why = self._reason or "is joint_state_broadcaster active, and the domain id the same?"
            return f"no measurement of all joints of {self.robot.name!r} on {topics.states}: {why}"
        if self._latest is None:
            return f"no IMU on {topics.imu}: {self._reason or 'is its broadcaster active?'}"
        return f"nobody takes commands on {topics.commands}: is that controller active?"

    def _take(self, data: bytes, *, joints: bool) -> None:
        try:
            if joints:
                self._joints = self._decoder.decode(data)
                self._measure(self._joints)
            else:
                self._imu = decode_imu(data)
        except LinkError as error:
            self.refused += 1
            self._reason = str(error)

    def _measure(self, joints: Joints) -> None:
        imu, stamp = self._imu, joints.stamp
        if self.robot.base is not None:
            if imu is None:
                return
            stamp = min(stamp, imu.stamp)  # as old as its oldest part
        self._seq += 1
        self._latest = Measurement(
            seq=self._seq,
            stamp=stamp,
            received=self._clock.local(stamp, time.monotonic_ns()),
            signals=Measured(
                position=joints.position,
                velocity=joints.velocity,
                orientation=imu and imu.orientation,
                angular_velocity=imu and imu.angular_velocity,
            ),
        )

    def _publish(self, ends: Ends, target: Array) -> None:
        ends.publish(self._encoder.encode(target[self._order]))
