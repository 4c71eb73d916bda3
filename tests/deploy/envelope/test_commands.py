import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.commands import changed, limit_command, limited, torques
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.robot import EnvelopeOptions, Joint, Limits, Robot
from sim2real.signals import Measured

_LIMITS = Limits(torque=4.0, velocity=2.0, position=(-1.0, 1.5))
ROBOT = Robot(
    model="arm.xml", name="arm", task={"name": "reach"}, control_hz=50,
    joints={
        "servo": Joint(mode="position", kp=20.0, kd=1.0, action_scale=0.3, limits=_LIMITS),
        "free": Joint(mode="passive"),
        "motor": Joint(mode="torque", limits=Limits(torque=3.0, velocity=10.0)),
    },
)  # fmt: skip
ENVELOPE = Envelope.of(ROBOT, max_age=0.1)
STILL = Measured(position=np.zeros(3), velocity=np.zeros(3))

numbers = st.floats(allow_nan=True, allow_infinity=True)
sane = st.floats(-1.5, 1.5)


def vectors(size: int, elements=numbers):
    return st.lists(elements, min_size=size, max_size=size).map(np.array)


@settings(max_examples=500, deadline=None)
@given(command=vectors(2), previous=vectors(2), position=vectors(3), velocity=vectors(3))
def test_whatever_comes_in_no_command_beyond_the_limits_leaves(
    command, previous, position, velocity
):
    sent, check = limit_command(
        ENVELOPE, command, previous, Measured(position=position, velocity=velocity)
    )
    if sent is None:
        assert check.verdict == Verdict.TRIP
        assert check.reason
    else:
        assert np.isfinite(sent).all()
        assert -1.0 <= sent[0] <= 1.5
        assert abs(sent[1]) <= 3.0


@settings(max_examples=300, deadline=None)
@given(command=vectors(2), previous=vectors(2, sane), position=vectors(3, sane),
       velocity=vectors(3, sane))  # fmt: skip
def test_a_servo_is_never_asked_for_more_than_its_torque(command, previous, position, velocity):
    position = np.clip(position, -1.0, 1.5)
    sent, _ = limit_command(
        ENVELOPE, command, previous, Measured(position=position, velocity=velocity)
    )
    if sent is not None:
        torque = 20.0 * (sent[0] - position[0]) - 1.0 * velocity[0]
        at_limit = sent[0] in (-1.0, 1.5)
        assert abs(torque) <= 4.0 + 1e-9 or at_limit


@given(vectors(2, sane))
def test_what_is_sent_once_may_be_sent_again(command):
    sent, _ = limit_command(ENVELOPE, command, command, STILL)
    assert sent is not None
    again, check = limit_command(ENVELOPE, sent, sent, STILL)
    assert check.verdict == Verdict.OK
    np.testing.assert_array_equal(again, sent)


def test_a_command_within_the_limits_is_left_alone():
    command = np.array([0.02, 2.9])
    sent, check = limit_command(ENVELOPE, command, np.zeros(2), STILL)
    assert check.verdict == Verdict.OK
    np.testing.assert_array_equal(sent, command)


def test_a_servo_moves_at_most_with_its_largest_velocity():
    sent, check = limit_command(ENVELOPE, np.array([1.0, 0.0]), np.zeros(2), STILL)
    assert sent is not None
    assert sent[0] == pytest.approx(2.0 / 50)
    assert check.verdict == Verdict.CLIP
    assert "'servo'" in check.reason


def test_a_command_that_is_not_finite_trips_and_names_the_joint():
    sent, check = limit_command(ENVELOPE, np.array([0.0, np.nan]), np.zeros(2), STILL)
    assert sent is None
    assert check.reason == "command of 'motor' is nan: not finite"


def test_a_command_of_another_size_trips():
    sent, check = limit_command(ENVELOPE, np.zeros(3), np.zeros(2), STILL)
    assert sent is None
    assert "(3,)" in check.reason


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(vectors(2), vectors(2), vectors(3), vectors(3)), min_size=2, max_size=5))
def test_n_simulations_are_limited_as_each_robot_alone(rows):
    command, previous, position, velocity = (np.array(column) for column in zip(*rows, strict=True))
    measured = Measured(position=position, velocity=velocity)
    together = limited(ENVELOPE, command, previous, measured)
    for i in range(len(rows)):
        alone = limited(ENVELOPE, command[i], previous[i], measured.of(i))
        np.testing.assert_array_equal(together[i], alone)


def test_which_of_n_commands_were_changed_is_told():
    sent = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, np.nan]])
    wanted = np.array([[0.0, 1.0], [0.0, 1.1], [0.0, 1.0]])
    assert changed(sent, wanted).tolist() == [False, True, True]


def test_a_joint_that_runs_into_its_limit_is_braked_with_all_its_torque():
    # it can stop from 2 rad/s in 0.1 s: 20 rad/s2, so 0.1 rad from 2 rad/s
    position, velocity = np.array([1.45, 0.0]), np.array([2.0, 0.0])
    least, most = torques(ENVELOPE, position, velocity)
    np.testing.assert_allclose((least[0], most[0]), (-4.0, -4.0))


def test_a_joint_far_from_its_limits_may_have_all_its_torque():
    least, most = torques(ENVELOPE, np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(least, [-4.0, -3.0])
    np.testing.assert_allclose(most, [4.0, 3.0])


def test_a_joint_at_its_largest_velocity_is_not_driven_faster_but_may_brake():
    least, most = torques(ENVELOPE, np.zeros(2), np.array([0.0, 10.0]))
    assert most[1] == pytest.approx(0.0)
    assert least[1] == -3.0


def test_a_joint_beyond_its_limit_is_driven_back():
    _, most = torques(ENVELOPE, np.array([1.55, 0.0]), np.zeros(2))
    assert most[0] < -3.9


@pytest.mark.parametrize("wanted", [1.5, -1.0])
def test_a_motor_with_inertia_stops_before_its_limit_whatever_it_is_asked_for(wanted):
    """A joint of 0.1 kg m2 under 4 Nm: 40 rad/s2, of which the envelope uses 20."""
    q, dq, previous, dt = 0.0, 0.0, np.zeros(2), 1 / 50
    for _ in range(200):
        measured = Measured(position=np.array([q, 0, 0]), velocity=np.array([dq, 0, 0]))
        sent, _ = limit_command(ENVELOPE, np.array([wanted, 0.0]), previous, measured)
        assert sent is not None
        previous = sent
        for _ in range(20):
            torque = np.clip(20.0 * (sent[0] - q) - 1.0 * dq, -4.0, 4.0)
            dq += torque / 0.1 * dt / 20
            q += dq * dt / 20
        assert -1.0 <= q <= 1.5
        assert abs(dq) <= 2.0
    assert q == pytest.approx(wanted, abs=0.03)


def test_a_motor_three_times_as_strong_as_it_is_trusted_to_be_does_not_throw_its_joint_about():
    """A light joint at 20 Hz: its motor changes its speed by 3 rad/s in a control step."""
    limits = Limits(torque=3.0, velocity=4.0, position=(-1.0, 1.0))
    wrist = Robot(
        model="wrist.xml", name="wrist", task={"name": "reach"}, control_hz=20,
        joints={"wrist": Joint(mode="torque", limits=limits)},
        envelope=EnvelopeOptions(braking=0.2),  # 20 rad/s2, where 3 Nm give 60
    )  # fmt: skip
    envelope, q, dq, late = Envelope.of(wrist), 0.0, 0.0, []
    for step in range(100):
        measured = Measured(position=np.array([q]), velocity=np.array([dq]))
        sent, _ = limit_command(envelope, np.array([3.0]), np.zeros(1), measured)
        assert sent is not None
        for _ in range(50):
            dq += sent[0] / 0.05 * 0.001
            q += dq * 0.001
        assert q < 1.0
        late += [dq] if step >= 50 else []
    assert np.abs(late).max() < 0.01
    assert q == pytest.approx(0.98, abs=0.01)


def test_each_joint_is_trusted_with_the_braking_that_is_said_of_it():
    robot = dataclasses.replace(ROBOT, envelope=EnvelopeOptions(braking={"servo": 0.5}))
    np.testing.assert_allclose(Envelope.of(robot).braking, [2.0 / 0.5, 10.0 / 0.1])
