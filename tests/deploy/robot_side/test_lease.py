import numpy as np
import pytest

from sim2real.deploy.driver import Command, StopMode
from sim2real.deploy.robot_side.lease import LONGEST, Lease
from sim2real.signals import Measured

MS = 1_000_000
HERE = Measured(position=np.array([0.2, 0.0, 0.0]), velocity=np.array([1.0, 0.0, 2.0]))
DAMPED = [0.2, -1.0]  # the servo stays where it is, the motor brakes with 0.5 Nm s/rad


@pytest.fixture
def lease(arm):
    return Lease(arm)


def command(seq=1, until=100 * MS, target=(1.0, 2.0), stiffness=1.0):
    return Command(seq=seq, valid_until=until, target=np.array(target), stiffness=stiffness)


def test_a_robot_that_was_told_nothing_damps(lease):
    assert lease.damping
    assert lease.act(0, HERE).tolist() == DAMPED


def test_a_command_holds_until_its_lease_lapses_and_never_comes_back(lease):
    lease.take(command(), 0)
    assert lease.act(99 * MS, HERE).tolist() == [1.0, 2.0]
    assert lease.act(100 * MS, HERE).tolist() == DAMPED
    assert lease.act(50 * MS, HERE).tolist() == DAMPED


def test_no_lease_lasts_longer_than_a_second(lease):
    lease.take(command(until=3600_000 * MS), 0)
    assert lease.act(LONGEST - 1, HERE).tolist() == [1.0, 2.0]
    assert lease.act(LONGEST, HERE).tolist() == DAMPED


@pytest.mark.parametrize("seq", [4, 5])
def test_a_command_that_is_not_newer_is_not_taken(lease, seq):
    assert lease.take(command(seq=5), 0)
    assert not lease.take(command(seq=seq, target=(0.0, 0.0)), 0)
    assert lease.act(0, HERE).tolist() == [1.0, 2.0]


def test_another_client_may_begin_with_any_number(lease):
    lease.take(command(seq=5), 0)
    lease.begin()
    assert lease.damping
    assert lease.take(command(seq=1), 0)


def test_a_share_of_the_stiffness_gives_that_share_of_the_torque(lease):
    lease.take(command(stiffness=0.25), 0)
    servo, motor = lease.act(0, HERE)
    assert 20.0 * (servo - 0.2) == pytest.approx(0.25 * 20.0 * (1.0 - 0.2))
    assert motor == 2.0


def test_encoders_that_say_nothing_finite_end_the_lease(lease):
    lease.act(0, HERE)
    lease.take(command(), 0)
    blind = Measured(position=np.full(3, np.nan), velocity=np.zeros(3))
    assert lease.act(1, blind).tolist() == DAMPED  # by what was measured last
    assert lease.act(2, HERE).tolist() == DAMPED


def test_hold_keeps_the_pose_and_off_gives_no_torque(lease):
    lease.act(0, HERE)
    moved = Measured(position=np.array([0.5, 0.0, 0.0]), velocity=HERE.velocity)
    lease.stop(StopMode.HOLD)
    assert lease.act(1, moved).tolist() == [0.2, -1.0]
    lease.stop(StopMode.OFF)
    assert lease.act(2, moved).tolist() == [0.5, 0.0]
    lease.stop(StopMode.DAMP)
    assert lease.act(3, moved).tolist() == [0.5, -1.0]
