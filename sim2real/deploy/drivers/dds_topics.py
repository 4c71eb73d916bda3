"""The topics of a ROS 2 robot, and their ends in DDS."""

import contextlib
import re
from dataclasses import dataclass
from typing import Any, Literal, final

from sim2real.errors import ConfigError, LinkError, MissingExtraError
from sim2real.robot import Robot

_AT_ONCE = 16  # messages, more than a slow reader lets gather
_NAME = re.compile(r"(/[A-Za-z_][A-Za-z0-9_]*)+")  # of a topic, in full
_DOMAINS = 232  # above, a domain's ports are beyond 65535

# Without multicast peers are found on the loopback interface only.
LOOPBACK = """<CycloneDDS><Domain><General><Interfaces>
<NetworkInterface name="lo" multicast="false"/></Interfaces><AllowMulticast>false</AllowMulticast>
</General><Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>50
</MaxAutoParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery>
</Domain></CycloneDDS>"""


@dataclass(frozen=True, kw_only=True)
class Topics:
    """What is sent and received where."""

    states: str = "/joint_states"
    imu: str = "/imu_sensor_broadcaster/imu"
    """Only of a robot with a floating base."""
    commands: str = "/forward_command_controller/commands"
    message: Literal["array", "trajectory"] = "array"
    """What the controller behind `commands` takes: Float64MultiArray, or JointTrajectory."""
    joints: tuple[str, ...] = ()
    """Order of an array, the controller's parameter `joints`; if not given, the robot's order."""

    def __post_init__(self) -> None:
        for name in (self.states, self.imu, self.commands):
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"{name!r} is no topic of ROS 2: write it in full, like /joint_states"
                )


@final
class Ends:
    """The ends of the topics in DDS."""

    def __init__(self, robot: Robot, topics: Topics, domain: int, network: str):
        """Join; raises LinkError, MissingExtraError."""
        try:
            from cyclonedds.core import DDSException
            from cyclonedds.domain import Domain, DomainParticipant
            from cyclonedds.pub import DataWriter
            from cyclonedds.qos import Policy, Qos
            from cyclonedds.sub import DataReader
            from cyclonedds.topic import Topic

            from sim2real.deploy.drivers import dds_types
        except ModuleNotFoundError:
            raise MissingExtraError("cyclonedds", "dds") from None
        if not 0 <= domain <= _DOMAINS:
            raise ConfigError(f"DDS domain {domain}: ROS_DOMAIN_ID is in 0 to {_DOMAINS}")
        self._domain: Any = None
        if network:
            with contextlib.suppress(DDSException):  # this process has joined it before
                self._domain = Domain(domain, network)
        try:
            self._participant = DomainParticipant(domain)
        except DDSException as error:
            raise LinkError(f"cannot join DDS domain {domain}: {error}") from None

        def topic(name: str, kind: Any) -> Any:
            return Topic(self._participant, f"rt{name}", kind)

        def qos(kind: Any, reliability: Any) -> Any:
            user = Policy.Userdata(f"typehash={kind.typehash};".encode())
            return Qos(reliability, Policy.History.KeepLast(1), Policy.Durability.Volatile, user)

        # best effort takes reliable writers as well, and never waits for what was lost
        listen, say = Policy.Reliability.BestEffort, Policy.Reliability.Reliable(0)
        kind: Any = {"array": dds_types.Float64MultiArray,
                     "trajectory": dds_types.JointTrajectory}[topics.message]  # fmt: skip
        commands = topic(topics.commands, kind)
        self._message = kind.of
        self._writer = DataWriter(self._participant, commands, qos(kind, say))
        others = Qos(listen, Policy.History.KeepLast(1), Policy.IgnoreLocal.Participant)
        self._rivals = DataReader(self._participant, commands, others)
        state = dds_types.JointState
        self._states = DataReader(
            self._participant, topic(topics.states, state), qos(state, listen)
        )
        imu = dds_types.Imu
        self._imu = robot.base and DataReader(
            self._participant, topic(topics.imu, imu), qos(imu, listen)
        )

    def states(self) -> list[bytes]:
        """Return what has come on the topic of joint states."""
        return _contents(self._states)

    def imu(self) -> list[bytes]:
        """Return what has come on the IMU's."""
        return [] if self._imu is None else _contents(self._imu)

    def publish(self, content: bytes) -> None:
        """Send a command."""
        self._writer.write(self._message(content))

    def heard(self) -> bool:
        """Return whether somebody takes commands."""
        return bool(self._writer.get_matched_subscriptions())

    def rivals(self) -> bool:
        """Return whether somebody else sends commands."""
        return bool(self._rivals.get_matched_publications())

    def close(self) -> None:
        """Leave the network."""
        del self._imu, self._states, self._rivals, self._writer, self._participant, self._domain


def _contents(reader: Any) -> list[bytes]:
    """Return the messages that have come; one that only says that its writer is gone has none."""
    return [content for message in reader.take(_AT_ONCE)
            if (content := getattr(message, "content", None)) is not None]  # fmt: skip
