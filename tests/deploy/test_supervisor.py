import dataclasses

import numpy as np
import pytest

from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.supervisor import State, Supervisor

NOTHING = np.zeros(0)


class Rig:
    """A supervisor, a robot that does what it decides, and a clock."""

    def __init__(self, robot, source, fakes, **options):
        self.clock = fakes[0]()
        self.driver = fakes[1](robot, self.clock)
        self.supervisor = Supervisor(source, robot, envelope=Envelope.of(robot), **options)
        self.period = round(1e9 / robot.control_hz)
        self.source = source

    def step(self, periods=1.0):
        """Return the next decision, after so many control steps' time."""
        self.clock.time += round(periods * self.period)
        decision = self.supervisor.step(self.clock.now(), self.driver.read(), NOTHING)
        if decision.command is not None:
            index = self.supervisor.envelope.servos.index[:1]
            self.driver.position[index] = decision.command[:1]
        return decision

    def until(self, state):
        """Return the decisions up to the first one in that state."""
        decisions = [self.step()]
        while decisions[-1].state != state:
            decisions.append(self.step())
            assert len(decisions) < 1000
        return decisions


@pytest.fixture
def rig(arm, fakes):
    def make(function=lambda i: [0.5, 0.0], warms_up=False, blended=False, **options):
        source = fakes[2](function)
        source.warms_up, source.blended = warms_up, blended
        source.told = []
        source.sent = source.told.append
        return Rig(arm, source, fakes, **options)

    return make


def test_the_gains_come_slowly_at_the_pose_that_was_measured(rig):
    rig = rig()
    rig.driver.position[0] = -0.8
    ready = [d for d in rig.until(State.RUNNING) if d.state == State.READY]
    stiffening = [d for d in ready if d.stiffness < 1.0]
    assert len(stiffening) == pytest.approx(0.5 * 50, abs=1)
    np.testing.assert_allclose(np.diff([d.stiffness for d in stiffening]), 0.04)
    np.testing.assert_allclose([d.command[0] for d in stiffening], -0.8)
    assert ready[-1].command[0] == pytest.approx(0.5)


def test_a_source_that_warms_up_watches_the_way_home_and_is_told_what_is_sent(rig):
    rig = rig(warms_up=True)
    decisions = rig.until(State.RUNNING)
    ready = [d for d in decisions if d.state == State.READY]
    assert rig.source.count == len(ready)  # one step each, and the first of RUNNING
    assert len(rig.source.resets) == 1
    told = np.array(rig.source.told)
    np.testing.assert_array_equal(told[: len(ready)], [d.command for d in ready])


def test_a_source_that_says_nonsense_while_it_watches_never_commands(rig):
    rig = rig(lambda i: [np.nan, 0.0] if i == 20 else [0.5, 0.0], warms_up=True)
    decisions = rig.until(State.DAMP) + [rig.step() for _ in range(100)]
    assert "the source watches" in rig.supervisor.tripped
    assert all(d.wanted is None for d in decisions)


def test_a_source_is_blended_in_from_where_the_robot_is_held(rig):
    rig = rig(lambda i: [0.9, 1.0], blended=True)
    rig.until(State.RUNNING)
    running = [rig.step() for _ in range(40)]
    servo = np.array([d.command[0] for d in running])
    assert servo[0] < 0.55
    assert (np.diff(servo) > -1e-12).all()
    assert servo[-1] == pytest.approx(0.9)
    np.testing.assert_array_equal([d.command[1] for d in running], 1.0)  # a torque is whole


def test_a_trip_latches_until_it_is_rearmed(rig):
    rig = rig()
    rig.until(State.RUNNING)
    rig.driver.reading = lambda measured: None
    assert rig.step().check.verdict == Verdict.TRIP
    rig.driver.reading = lambda measured: measured
    assert {rig.step().state for _ in range(100)} == {State.DAMP}
    assert rig.supervisor.tripped == "no measurement came"
    rig.supervisor.rearm()
    assert State.READY in {d.state for d in rig.until(State.RUNNING)}


def test_a_loop_that_is_late_again_and_again_trips(rig):
    rig = rig()
    rig.until(State.RUNNING)
    decisions = [rig.step(1.6) for _ in range(11)]
    assert [d.check.verdict for d in decisions[:10]] == [Verdict.OK] * 10
    assert "11 control steps in a row came late" in decisions[10].check.reason


def test_a_loop_that_is_late_now_and_then_goes_on(rig):
    rig = rig()
    rig.until(State.RUNNING)
    verdicts = {rig.step(1.0 if i % 10 == 0 else 1.6).check.verdict for i in range(200)}
    assert verdicts == {Verdict.OK}


def test_a_shadow_commands_at_once_and_is_not_blended(rig):
    rig = rig(lambda i: [0.02, 1.0], blended=True, shadow=True)
    states = [rig.step() for _ in range(5)]
    assert [d.state for d in states] == [State.DAMP] * 3 + [State.RUNNING] * 2
    np.testing.assert_array_equal(states[-1].wanted, [0.02, 1.0])


def test_a_lease_that_lapsed_trips_for_the_robot_has_damped_meanwhile(rig):
    rig = rig()
    rig.until(State.RUNNING)
    lease = round(rig.supervisor.envelope.max_age * 50)
    assert rig.step(lease - 1).check.verdict == Verdict.OK
    decision = rig.step(lease + 1)
    assert (decision.state, decision.command) == (State.DAMP, None)
    assert "the lease lapsed 0.02 s before" in decision.check.reason
    assert {rig.step().state for _ in range(100)} == {State.DAMP}
    rig.supervisor.rearm()
    rig.until(State.RUNNING)


def test_in_shadow_nothing_is_leased_and_nothing_lapses(rig):
    rig = rig(lambda i: [0.02, 1.0], shadow=True)
    rig.until(State.RUNNING)
    lease = rig.supervisor.envelope.max_age * 50
    assert rig.step(2 * lease).check.verdict == Verdict.OK


def acts(rig, acting):
    rig.driver.reading = lambda measured: dataclasses.replace(measured, acting=acting)


def test_a_robot_that_damps_while_it_is_commanded_trips(rig):
    rig = rig()
    acts(rig, True)
    rig.until(State.RUNNING)
    acts(rig, False)
    assert "the robot damped: commands did not reach it" in rig.step().check.reason
    assert {rig.step().state for _ in range(100)} == {State.DAMP}


def test_a_robot_that_never_takes_a_command_trips_after_a_lease(rig):
    rig = rig()
    acts(rig, False)
    decisions = rig.until(State.READY)
    while not rig.supervisor.tripped:
        decisions.append(rig.step())
        assert len(decisions) < 100
    assert "taken no command for 0.2 s" in rig.supervisor.tripped
    assert sum(d.command is not None for d in decisions) == 10  # of 0.02 s each
