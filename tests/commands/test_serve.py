"""`sim2real serve`: a robot behind a link."""

import pytest


def said(outcome):
    return " ".join(outcome.err.split())


@pytest.mark.parametrize("options", [(), ("--ros2", "--feetech", "/dev/null")])
def test_one_way_to_the_robot_has_to_be_named(sim2real, options):
    outcome = sim2real("serve", "so101", *options)
    assert outcome.code == 2
    assert "--feetech /dev/ttyACM0, or --ros2" in said(outcome)


def test_a_port_that_is_not_there_is_told(sim2real):
    pytest.importorskip("serial")
    outcome = sim2real("serve", "so101", "--feetech", "/dev/no-such-port")
    assert outcome.code == 2
    assert "is it plugged in" in said(outcome)


def test_a_robot_without_servos_is_told(sim2real):
    outcome = sim2real("serve", "pendulum", "--feetech", "/dev/ttyACM0")
    assert outcome.code == 2
    assert "feetech.toml: no such file" in said(outcome)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--commands", "a b"), "'a b' is no topic of ROS 2: write it in full"),
        (("--states", "joint_states"), "'joint_states' is no topic of ROS 2"),
        (("--imu", "/imu/"), "'/imu/' is no topic of ROS 2"),
        (("--domain", "233"), "DDS domain 233: ROS_DOMAIN_ID is in 0 to 232"),
        (("--domain", "-1"), "DDS domain -1"),
    ],
)
def test_what_ros_2_does_not_know_is_refused(sim2real, options, says):
    pytest.importorskip("cyclonedds")
    outcome = sim2real("serve", "so101", "--ros2", "--loopback", *options)
    assert outcome.code == 2
    assert says in said(outcome)


def test_a_ros_2_robot_that_is_not_there_is_told(sim2real):
    pytest.importorskip("cyclonedds")
    outcome = sim2real("serve", "so101", "--ros2", "--loopback", "--domain", "199")
    assert outcome.code == 2
    assert "is joint_state_broadcaster active" in said(outcome)
