import dataclasses

import numpy as np
import pytest

from sim2real.deploy.driver import Measurement
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.stream import Stream
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.shipped import find_robot
from sim2real.signals import Measured

MS = 1_000_000
DOG = find_robot("quadruped")


@pytest.fixture
def stream(arm):
    return Stream(Envelope.of(arm))


def at(i, **changes):
    """The i-th measurement of an arm whose joints swing at 0.5 Hz, 20 ms apart."""
    t = 0.02 * i
    phase = np.pi * t + np.arange(3)
    signals = Measured(position=0.5 * np.sin(phase), velocity=0.5 * np.pi * np.cos(phase))
    own = {n: changes.pop(n) for n in ("seq", "stamp", "received") if n in changes}
    measured = Measurement(seq=i, stamp=20 * MS * i, received=20 * MS * i,
                           signals=dataclasses.replace(signals, **changes))  # fmt: skip
    return dataclasses.replace(measured, **own)


def reasons(stream, measurements):
    """What the stream says of measurements until one is refused."""
    for number, measured in enumerate(measurements):
        check = stream.check(measured, measured.received)
        if check.verdict != Verdict.OK:
            return number, check.reason
    return None, ""


def test_a_swinging_arm_is_believed_for_half_a_minute(stream):
    assert reasons(stream, map(at, range(1500))) == (None, "")


def test_an_old_measurement_is_refused(stream):
    check = stream.check(at(0), 201 * MS)
    assert "0.201 s old" in check.reason


def test_a_measurement_from_the_future_is_refused(stream):
    assert stream.check(at(0), -201 * MS).verdict == Verdict.TRIP


def test_a_measurement_that_came_out_of_order_is_refused(stream):
    _, reason = reasons(stream, [at(5), at(4)])
    assert reason == "measurement 4 came after 5: out of order"


def test_one_number_twice_is_one_measurement_whatever_the_second_says(stream):
    first, second = at(5), at(5, position=np.full(3, np.nan))
    assert reasons(stream, [first, second]) == (None, "")
    assert stream.last is first


@pytest.mark.parametrize("jump", [-1000, 1000])
def test_a_jump_of_the_robots_clock_is_refused(stream, jump):
    _, reason = reasons(stream, [at(5), at(6, stamp=(120 + jump) * MS)])
    assert "clock jumped" in reason


def test_a_stamp_that_stands_still_is_refused(stream):
    _, reason = reasons(stream, [at(5), at(6, stamp=100 * MS)])
    assert "clock jumped" in reason


def test_an_encoder_that_is_stuck_is_noticed_within_its_lag(stream):
    stuck = at(0).signals.position
    number, reason = reasons(stream, (at(i, position=stuck) for i in range(100)))
    assert "'servo' contradict" in reason
    # 0.05 s of lag at 2 rad/s are 0.1 rad, at 1.57 rad/s after 64 ms
    assert number == 4


def test_a_velocity_that_is_stuck_is_noticed(stream):
    stuck = at(0).signals.velocity
    number, reason = reasons(stream, (at(i, velocity=stuck) for i in range(100)))
    assert "'servo' contradict" in reason
    assert 5 < number < 40


def test_velocities_in_another_order_than_positions_are_noticed(stream):
    swapped = (at(i, velocity=at(i).signals.velocity[[2, 1, 0]]) for i in range(200))
    _, reason = reasons(stream, swapped)
    assert "contradict" in reason


def test_a_velocity_of_the_wrong_sign_is_noticed(stream):
    _, reason = reasons(stream, (at(i, velocity=-at(i).signals.velocity) for i in range(100)))
    assert "contradict" in reason


def test_noise_as_on_the_shipped_robots_is_believed(stream):
    rng = np.random.default_rng(0)
    noisy = (
        at(i, position=at(i).signals.position + rng.normal(0, 0.005, 3),
           velocity=at(i).signals.velocity + rng.normal(0, 0.05, 3))
        for i in range(2000)
    )  # fmt: skip
    assert reasons(stream, noisy) == (None, "")


def test_a_robot_at_rest_that_repeats_itself_is_believed(stream):
    still = {"position": np.zeros(3), "velocity": np.zeros(3)}
    assert reasons(stream, (at(i, **still) for i in range(500))) == (None, "")


def rolling(i, rate=1.0, **changes):
    """The i-th measurement of a dog that is turned about its x axis to and fro."""
    angle, speed = 0.5 * np.sin(0.02 * i), 0.5 * np.cos(0.02 * i)
    values = {
        "position": np.array([joint.home for joint in DOG.joints.values()]),
        "velocity": np.zeros(12),
        "orientation": np.array([np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0]),
        "angular_velocity": np.array([rate * speed, 0.0, 0.0]),
    } | changes
    return Measurement(seq=i, stamp=20 * MS * i, received=20 * MS * i, signals=Measured(**values))


def test_a_base_that_turns_as_its_gyroscope_says_is_believed():
    stream = Stream(Envelope.of(DOG))
    assert reasons(stream, map(rolling, range(500))) == (None, "")


def test_an_orientation_of_the_other_sign_is_the_same_orientation():
    stream = Stream(Envelope.of(DOG))
    flipped = (rolling(i, orientation=(-1) ** i * rolling(i).signals.orientation)
               for i in range(500))  # fmt: skip
    assert reasons(stream, flipped) == (None, "")


@pytest.mark.parametrize("rate", [-1.5, 3.5])
def test_a_gyroscope_of_the_wrong_sign_or_unit_is_noticed(rate):
    stream = Stream(Envelope.of(DOG))
    _, reason = reasons(stream, (rolling(i, rate) for i in range(500)))
    assert "gyroscope" in reason
