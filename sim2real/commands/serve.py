"""`sim2real serve`: put a robot behind a link, damped when nobody commands it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, notes, options
from sim2real.commands.drive import check_seconds, key_of
from sim2real.deploy.driver import RobotDriver, connected
from sim2real.deploy.robot_side.hold import serve
from sim2real.deploy.robot_side.packets import DEFAULT_ADDRESS
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.deploy.watchdog import Watchdog
from sim2real.errors import ConfigError
from sim2real.robot import Robot

_FASTER = 4  # turns for one of the controller


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Put a robot behind a link: Feetech servos on a serial port, or a ROS 2 robot over DDS.

    Runs beside the robot, in a process of its own, until Ctrl-C. Commands are leases: when one
    lapses because its controller is late, stopped or dead, the robot damps.
    """

    robot: Annotated[str, tyro.conf.Positional]
    """A shipped robot, or a folder with a robot.toml."""
    feetech: Maybe[str] = None
    """The serial port of its servos, /dev/ttyACM0; they stand in feetech.toml."""
    bus: Maybe[Path] = None
    """Another feetech.toml than the one in the robot's folder."""
    ros2: Flag = False
    """The robot is one of ros2_control, on this network."""
    domain: int = 0
    """ROS_DOMAIN_ID."""
    loopback: Flag = False
    """ROS 2 nodes of this computer only, without multicast."""
    states: str = "/joint_states"
    """Topic of sensor_msgs/JointState."""
    imu: str = "/imu_sensor_broadcaster/imu"
    """Topic of sensor_msgs/Imu, of a robot with a floating base."""
    commands: str = "/forward_command_controller/commands"
    """Topic of the controller's commands."""
    message: Literal["array", "trajectory"] = "array"
    """What the controller takes: std_msgs/Float64MultiArray, or trajectory_msgs/JointTrajectory."""
    rate: Maybe[float] = None
    """Turns of the loop a second [Hz]; four times the controller's rate if not given."""
    address: str = DEFAULT_ADDRESS
    """Where it listens for a controller, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    seconds: Maybe[float] = None
    """Stop after this long; until Ctrl-C if not given."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Serve, arguments)
    check_seconds(chosen.seconds)
    robot = shipped.find_robot(chosen.robot)
    driver, watchdog = _driver(chosen, robot), Watchdog()
    rate = _FASTER * robot.control_hz if chosen.rate is None else chosen.rate
    with (
        connected(driver),
        UdpRobot(robot, chosen.address, key_of(chosen.key)) as side,
    ):
        notes.print(f"{robot.name} listens at {side.address} (stop with Ctrl-C)")
        watchdog.ready()
        serve(driver, side, hz=rate, seconds=chosen.seconds, on_turn=watchdog.alive)


def _driver(chosen: Serve, robot: Robot) -> RobotDriver:
    if (chosen.feetech is not None) == chosen.ros2:
        raise ConfigError("say what the robot is reached by: --feetech /dev/ttyACM0, or --ros2")
    if chosen.feetech is not None:
        from sim2real.deploy.drivers.feetech import Bus, FeetechDriver

        bus = Bus.load(chosen.bus or robot.folder / "feetech.toml")
        return FeetechDriver(robot, chosen.feetech, bus)
    from sim2real.deploy.drivers.dds import DdsDriver
    from sim2real.deploy.drivers.dds_topics import LOOPBACK, Topics

    topics = Topics(states=chosen.states, imu=chosen.imu, commands=chosen.commands,
                    message=chosen.message)  # fmt: skip
    network = LOOPBACK if chosen.loopback else ""
    return DdsDriver(robot, topics, domain=chosen.domain, network=network)
