"""The DDS driver against a robot on another vendor's DDS, Fast DDS in C++ (`fastdds/robot.cpp`)."""

import contextlib
import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from sim2real.deploy.driver import Command, connected
from sim2real.deploy.drivers.dds import DdsDriver
from sim2real.deploy.drivers.dds_topics import LOOPBACK, Topics
from sim2real.errors import ConfigError, LinkError
from sim2real.shipped import find_robot

dds_types = pytest.importorskip(
    "sim2real.deploy.drivers.dds_types", reason="pip install 'sim2real[dds]'", exc_type=ImportError
)
ROOT = Path(__file__).parents[3]
DOMAINS = (40 + (os.getpid() + i) % 150 for i in itertools.count())
TRAJECTORY = Topics(commands="/joint_trajectory_controller/joint_trajectory", message="trajectory")


@pytest.fixture(scope="session")
def program():
    missing = [tool for tool in ("g++", "fastddsgen") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: apt-get install g++ libfastrtps-dev fastddsgen")
    script = Path(__file__).parent / "fastdds" / "build.sh"
    built = subprocess.run(
        [script, ROOT / "build" / "fastdds"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return built.stdout.strip()


@pytest.fixture
def start(program):
    """Start the robot; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def starting(robot, kind="array", names=None):
            domain = next(DOMAINS)
            process = stack.enter_context(
                subprocess.Popen(
                    [program, str(domain), "200", kind, *(names or robot.joints)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )
            )  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            stack.callback(process.stdin.close)
            assert process.stdout.readline() == b"ready\n"
            return domain

        yield starting


def until(driver, done):
    """Read until a measurement is as wanted, for as long as a busy machine may take."""
    for _ in range(5000):
        if (measured := driver.read()) is not None and done(measured):
            return measured
        time.sleep(0.001)
    raise AssertionError(f"never came; the last is {driver.read()}")


def command(target, seq=1, stiffness=1.0):
    return Command(seq=seq, valid_until=1 << 62, target=np.array(target), stiffness=stiffness)


SO101 = find_robot("so101")


BACKWARDS = tuple(reversed(SO101.joints))


@pytest.mark.parametrize(
    ("topics", "names"),
    [
        (Topics(joints=BACKWARDS), BACKWARDS),  # an array has no names: the order is the user's
        (TRAJECTORY, (*BACKWARDS, "camera_pan")),
    ],
    ids=["array", "trajectory"],
)
def test_a_command_moves_a_robot_on_another_vendors_dds(start, topics, names):
    domain = start(SO101, topics.message, names)
    target = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    with connected(DdsDriver(SO101, topics, domain=domain, network=LOOPBACK)) as driver:
        first = until(driver, lambda measured: True)
        np.testing.assert_allclose(first.signals.velocity, 0.25)
        driver.write(command(target))
        moved = until(driver, lambda measured: np.allclose(measured.signals.position, target))
        assert moved.stamp > first.stamp
        assert abs(moved.stamp - time.time_ns()) < 60e9
        assert driver.refused == 0


def test_a_robot_with_an_imu_is_measured_with_w_first(start):
    robot = find_robot("quadruped")
    with connected(DdsDriver(robot, domain=start(robot), network=LOOPBACK)) as driver:
        signals = until(driver, lambda measured: True).signals
        assert signals.orientation.tolist() == [0.9, 0.1, -0.2, 0.3]
        assert signals.angular_velocity.tolist() == [0.0, 0.0, 0.5]


def test_opening_and_closing_hold_the_measured_pose(start):
    domain = start(SO101)
    driver = DdsDriver(SO101, domain=domain, network=LOOPBACK)
    with connected(driver):
        driver.write(command([0.5] * 6))
        until(driver, lambda measured: np.allclose(measured.signals.position, 0.5))
        driver.write(command([0.7] * 6, stiffness=0.5))
        until(driver, lambda measured: np.allclose(measured.signals.position, 0.6))
        driver.stop()
    with connected(driver):
        for _ in range(20):
            np.testing.assert_allclose(driver.read().signals.position, 0.6)


def test_a_second_writer_is_noticed_and_neither_of_two_arms(start):
    domain = start(SO101)
    with connected(DdsDriver(SO101, domain=domain, network=LOOPBACK)) as driver:
        until(driver, lambda measured: True)
        other = DdsDriver(SO101, domain=domain, network=LOOPBACK)
        with pytest.raises(LinkError, match="somebody else publishes"):
            other.open()
        with writer(domain), pytest.raises(LinkError, match="somebody else publishes"):
            until(driver, lambda measured: False)


@contextlib.contextmanager
def writer(domain):
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.pub import DataWriter
    from cyclonedds.topic import Topic

    participant = DomainParticipant(domain)
    topic = Topic(
        participant, "rt/forward_command_controller/commands", dds_types.Float64MultiArray
    )
    kept = DataWriter(participant, topic)
    yield kept


def test_a_joint_that_the_robot_does_not_have_is_named(start):
    domain = start(SO101, names=[*list(SO101.joints)[:-1], "claw"])
    with pytest.raises(LinkError, match="'gripper' is in the JointState 0 times"):
        DdsDriver(SO101, domain=domain, network=LOOPBACK).open()


def test_a_controller_that_does_not_run_is_told(start):
    domain = start(SO101, "trajectory")
    with pytest.raises(LinkError, match="nobody takes commands on /forward_command_controller"):
        DdsDriver(SO101, domain=domain, network=LOOPBACK).open()


def test_no_robot_is_told():
    with pytest.raises(LinkError, match="is joint_state_broadcaster active"):
        DdsDriver(SO101, domain=next(DOMAINS), network=LOOPBACK).open()


def test_stop_is_safe_in_any_state(start):
    driver = DdsDriver(SO101, domain=start(SO101), network=LOOPBACK)
    driver.stop()
    driver.open()
    driver.stop()
    driver.close()
    driver.stop()
    driver.close()
    with pytest.raises(LinkError, match="not open"):
        driver.read()


def test_an_order_of_joints_that_are_not_the_robots_is_refused():
    with pytest.raises(ConfigError, match="are not shoulder_pan"):
        DdsDriver(SO101, Topics(joints=("a",)))


@pytest.mark.parametrize("name", ["JointState", "Imu", "Float64MultiArray", "JointTrajectory"])
def test_types_are_those_of_ros_2(name):
    typesys = pytest.importorskip("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    kind = getattr(dds_types, name)
    package = kind.__idl_typename__.split("::")[0]
    assert kind.typehash == store.hash_rihs01(f"{package}/msg/{name}")
    assert kind.__idl_typename__ == f"{package}::msg::dds_::{name}_"
