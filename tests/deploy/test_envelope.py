import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.deploy.envelope import Envelope, Verdict, check_measured, limit_command
from sim2real.deploy.link import Measurement
from sim2real.robot import Joint, Limits, Robot
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
GOOD = Measurement(
    seq=5, stamp=0, received=0, signals=Measured(position=np.zeros(3), velocity=np.zeros(3))
)

numbers = st.floats(allow_nan=True, allow_infinity=True)
sane = st.floats(-1.5, 1.5)


def changed(**values):
    """The good measurement, but for some of its values."""
    own = {name: values.pop(name) for name in ("seq", "received") if name in values}
    return dataclasses.replace(GOOD, signals=dataclasses.replace(GOOD.signals, **values), **own)


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
    sent, _ = limit_command(ENVELOPE, command, command, GOOD.signals)
    assert sent is not None
    again, check = limit_command(ENVELOPE, sent, sent, GOOD.signals)
    assert check.verdict == Verdict.OK
    np.testing.assert_array_equal(again, sent)


def test_a_command_within_the_limits_is_left_alone():
    command = np.array([0.02, 2.9])
    sent, check = limit_command(ENVELOPE, command, np.zeros(2), GOOD.signals)
    assert check.verdict == Verdict.OK
    np.testing.assert_array_equal(sent, command)


def test_a_servo_moves_at_most_with_its_largest_velocity():
    sent, check = limit_command(ENVELOPE, np.array([1.0, 0.0]), np.zeros(2), GOOD.signals)
    assert sent is not None
    assert sent[0] == pytest.approx(2.0 / 50)
    assert check.verdict == Verdict.CLIP
    assert "'servo'" in check.reason


def test_a_command_that_is_not_finite_trips_and_names_the_joint():
    sent, check = limit_command(ENVELOPE, np.array([0.0, np.nan]), np.zeros(2), GOOD.signals)
    assert sent is None
    assert check.reason == "command of 'motor' is nan: not finite"


def test_a_command_of_another_size_trips():
    sent, check = limit_command(ENVELOPE, np.zeros(3), np.zeros(2), GOOD.signals)
    assert sent is None
    assert "(3,)" in check.reason


def test_a_fresh_measurement_within_the_limits_is_ok():
    assert check_measured(ENVELOPE, GOOD, None, 50_000_000).verdict == Verdict.OK


@settings(deadline=None)
@given(position=vectors(3), velocity=vectors(3))
def test_a_measurement_that_passes_is_finite_and_within_the_limits(position, velocity):
    measured = changed(position=position, velocity=velocity)
    if check_measured(ENVELOPE, measured, None, 0).verdict == Verdict.OK:
        assert np.isfinite([position, velocity]).all()
        assert abs(velocity[0]) <= 2.0
        assert abs(velocity[2]) <= 10.0
        assert -1.1 <= position[0] <= 1.6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"position": np.array([0, np.nan, 0])}, "position of 'free' is nan"),
        ({"velocity": np.array([0, 0, 10.1])}, "velocity of 'motor' is 10.1"),
        ({"position": np.array([-1.2, 0, 0])}, "position of 'servo' is -1.2"),
        ({"received": -200_000_000}, "0.2 s old"),
        ({"seq": 3}, "out of order"),
    ],
)
def test_a_measurement_not_to_act_on_trips(change, reason):
    check = check_measured(ENVELOPE, changed(**change), GOOD, 0)
    assert check.verdict == Verdict.TRIP
    assert reason in check.reason


@pytest.mark.parametrize(
    ("orientation", "turning", "reason"),
    [
        ([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], ""),
        ([0.9, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "no unit quaternion"),
        ([np.nan, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "no unit quaternion"),
        ([1.0, 0.0, 0.0, 0.0], [0.0, np.inf, 0.0], "gyroscope"),
    ],
)
def test_an_imu_that_says_what_cannot_be_trips(orientation, turning, reason):
    imu = {"orientation": np.array(orientation), "angular_velocity": np.array(turning)}
    check = check_measured(ENVELOPE, changed(**imu), None, 0)
    assert (check.verdict == Verdict.TRIP) == bool(reason)
    assert reason in check.reason
