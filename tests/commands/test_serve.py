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


def test_a_ros_2_robot_that_is_not_there_is_told(sim2real):
    pytest.importorskip("cyclonedds")
    outcome = sim2real("serve", "so101", "--ros2", "--loopback", "--domain", "199")
    assert outcome.code == 2
    assert "is joint_state_broadcaster active" in said(outcome)
