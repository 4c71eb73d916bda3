import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.deploy.driver import Health
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.measurements import check_health, check_signals, plausible
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.robot import EnvelopeOptions, Joint, Limits, Robot
from sim2real.shipped import find_robot
from sim2real.signals import Measured

_LIMITS = Limits(torque=4.0, velocity=2.0, position=(-1.0, 1.5))
ENVELOPE = Envelope.of(
    Robot(
        model="arm.xml", name="arm", task={"name": "reach"}, control_hz=50,
        joints={
            "servo": Joint(mode="position", kp=20.0, kd=1.0, action_scale=0.3, limits=_LIMITS),
            "free": Joint(mode="passive"),
            "motor": Joint(mode="torque", limits=Limits(torque=3.0, velocity=10.0)),
        },
    )
)  # fmt: skip
LEVEL = [1.0, 0.0, 0.0, 0.0]
numbers = st.floats(allow_nan=True, allow_infinity=True)


def vectors(size, elements=numbers):
    return st.lists(elements, min_size=size, max_size=size).map(np.array)


@pytest.fixture
def dog():
    robot = dataclasses.replace(
        find_robot("quadruped"),
        envelope=EnvelopeOptions(tilt=0.8, temperature=80.0, voltage=(21.0, 30.0)),
    )
    return Envelope.of(robot), robot


def standing(robot, orientation=(1.0, 0.0, 0.0, 0.0), turning=(0.0, 0.0, 0.0)):
    home = np.array([joint.home for joint in robot.joints.values()])
    return Measured(position=home, velocity=np.zeros(12), orientation=np.array(orientation),
                    angular_velocity=np.array(turning))  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(position=vectors(3), velocity=vectors(3))
def test_what_is_believed_is_finite_and_within_the_limits(position, velocity):
    if check_signals(ENVELOPE, Measured(position=position, velocity=velocity)).verdict:
        return
    assert np.isfinite([position, velocity]).all()
    assert abs(velocity[0]) <= 2.0
    assert abs(velocity[2]) <= 10.0
    assert -1.1 <= position[0] <= 1.6


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"position": np.array([0, np.nan, 0])}, "position of 'free' is nan: not finite"),
        ({"velocity": np.array([0, np.inf, 0])}, "velocity of 'free' is inf: not finite"),
        ({"velocity": np.array([0, 0, 10.1])}, "velocity of 'motor' is 10.1: not in limits"),
        ({"position": np.array([-1.2, 0, 0])}, "position of 'servo' is -1.2"),
    ],
)
def test_what_is_not_believed_is_named(change, reason):
    good = Measured(position=np.zeros(3), velocity=np.zeros(3))
    check = check_signals(ENVELOPE, dataclasses.replace(good, **change))
    assert check.verdict == Verdict.TRIP
    assert reason in check.reason


@pytest.mark.parametrize(
    ("orientation", "turning", "reason"),
    [
        (LEVEL, [0.0, 0.0, 0.0], ""),
        ([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0], ""),  # turned about the vertical
        ([0.96, 0.28, 0.0, 0.0], [0.0, 0.0, 0.0], ""),  # 0.57 rad
        ([0.8, 0.6, 0.0, 0.0], [0.0, 0.0, 0.0], "tilted by 1.29 rad"),
        ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0], "tilted by 3.14 rad"),
        ([0.9, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "no unit quaternion"),
        ([np.nan, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "orientation of 'w' is nan"),
        (LEVEL, [0.0, np.inf, 0.0], "angular_velocity of 'y' is inf"),
        (LEVEL, [0.0, 60.0, 0.0], "angular_velocity of 'y' is 60"),
    ],
)
def test_an_imu_that_says_what_cannot_be_trips(dog, orientation, turning, reason):
    envelope, robot = dog
    check = check_signals(envelope, standing(robot, orientation, turning))
    assert (check.verdict == Verdict.TRIP) == bool(reason)
    assert reason in check.reason


def test_n_robots_are_believed_as_each_alone(dog):
    envelope, robot = dog
    rows = [standing(robot), standing(robot, (0.8, 0.6, 0.0, 0.0)), standing(robot, [np.nan] * 4)]
    together = Measured(**{n: np.stack([r.signals()[n] for r in rows]) for n in rows[0].signals()})
    assert plausible(envelope, together).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (None, ""),
        (Health(), ""),
        (Health(temperature=np.full(12, 79.0), voltage=24.0), ""),
        (Health(temperature=np.array([20.0] * 11 + [81.0])), "'RL_lower_joint' is 81"),
        (Health(temperature=np.full(12, np.nan)), "nan"),
        (Health(voltage=20.0), "supply gives 20 V"),
        (Health(voltage=np.nan), "supply"),
    ],
)
def test_hot_motors_and_a_weak_supply_trip(dog, health, reason):
    check = check_health(dog[0], health)
    assert (check.verdict == Verdict.TRIP) == bool(reason)
    assert reason in check.reason
