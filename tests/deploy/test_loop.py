import dataclasses
import gc
import os
import signal

import numpy as np
import pytest

from sim2real.deploy.clock import Grid
from sim2real.deploy.loop import run
from sim2real.deploy.process import stop_on_signals
from sim2real.deploy.supervisor import Event, State
from sim2real.errors import ControllerError


def test_states_come_in_order_and_the_robot_damps_before_and_after(rig, pendulum, fakes):
    clock, driver = rig
    states = []
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, clock=clock,
                  on_progress=lambda state, _: states.append(state))  # fmt: skip
    assert list(dict.fromkeys(states)) == [State.DAMP, State.READY, State.RUNNING]
    assert driver.log[0] == driver.log[-1] == "damp"
    assert summary.ended == "done"
    assert summary.ticks == 100
    assert summary.seconds == pytest.approx(1.0, abs=0.02)
    assert summary.late_ticks == summary.clips == summary.dropped_rows == 0


def test_a_servo_goes_home_slowly_from_where_it_was_measured(arm, fakes):
    clock = fakes[0]()
    driver, source = fakes[1](arm, clock), fakes[2](lambda i: [0.5, 0.0])
    driver.position[0] = -0.8
    run(source, driver, seconds=0.1, clock=clock)
    servo = driver.commands[:, 0]
    assert servo[0] == pytest.approx(-0.8, abs=0.02)
    assert servo[-1] == pytest.approx(0.5)
    assert np.abs(np.diff(servo)).max() <= 0.25 * 2.0 / 50 + 1e-9
    np.testing.assert_allclose(source.resets, [[0.5, 0.0]])


def test_the_source_begins_anew_with_the_command_that_is_held(rig, pendulum, fakes):
    clock, driver = rig
    source = fakes[2](lambda i: [0.1])
    run(source, driver, seconds=0.1, clock=clock)
    np.testing.assert_array_equal(source.resets, [[0.0]])


def altered(measured, field, value):
    if field in vars(measured):
        return dataclasses.replace(measured, **{field: value})
    signals = dataclasses.replace(measured.signals, **{field: value})
    return dataclasses.replace(measured, signals=signals)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("position", np.array([np.nan]), "not finite"),
        ("velocity", np.array([-25.0]), "not in limits"),
        ("received", 0, "s old"),
        ("seq", 1, "out of order"),
    ],
)
def test_a_bad_measurement_trips_and_no_command_follows(rig, pendulum, fakes, field, value, reason):
    clock, driver = rig
    driver.reading = lambda measured: (
        altered(measured, field, value) if measured.seq == 20 else measured
    )
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=5.0, clock=clock)
    assert summary.ended == "trip"
    assert reason in summary.reason
    assert driver.seq == 20  # the trip latches: nothing is read, nothing is sent
    assert driver.log[-1] == "damp"


def test_a_robot_that_is_silent_from_the_start_is_never_commanded(rig, pendulum, fakes):
    clock, driver = rig
    driver.reading = lambda measured: None
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=5.0, clock=clock)
    assert summary.reason == "no measurement came"
    assert set(driver.log) == {"damp"}


def test_a_robot_that_repeats_one_measurement_is_never_commanded(rig, pendulum, fakes):
    clock, driver = rig
    first = driver.read()
    driver.reading = lambda measured: first
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=5.0, clock=clock)
    assert "s old" in summary.reason
    assert set(driver.log) == {"damp"}


def test_old_rows_of_a_link_that_was_idle_are_waited_out(rig, pendulum, fakes):
    clock, driver = rig
    driver.reading = lambda measured: (
        dataclasses.replace(measured, received=0) if measured.seq < 30 else measured
    )
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=0.5, clock=clock)
    assert summary.ended == "done"
    assert driver.log[:30] == ["damp"] * 30


def test_a_command_that_is_not_finite_trips(rig, pendulum, fakes):
    clock, driver = rig
    source = fakes[2](lambda i: [np.nan if i == 7 else 0.1])
    summary = run(source, driver, seconds=5.0, clock=clock)
    assert "command of 'pivot' is nan" in summary.reason
    assert len(driver.commands) == 1 + 7
    assert np.isfinite(driver.commands).all()


def test_a_command_beyond_the_limits_is_clipped_and_counted(rig, pendulum, fakes):
    clock, driver = rig
    source = fakes[2](lambda i: [5.0 if i % 2 else -0.5])
    summary = run(source, driver, seconds=1.0, clock=clock)
    assert summary.clips == 50
    assert driver.commands.max() == 2.0


def test_an_exception_in_the_source_damps_and_goes_on(rig, pendulum, fakes):
    clock, driver = rig
    with pytest.raises(ZeroDivisionError):
        run(fakes[2](lambda i: [1 / (3 - i)]), driver, seconds=5.0, clock=clock)
    assert driver.log[-1] == "damp"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_damped(rig, pendulum, fakes, number):
    clock, driver = rig
    before = signal.getsignal(number)

    def function(i):
        if i == 5:
            os.kill(os.getpid(), number)
        return [0.1]

    summary = run(fakes[2](function), driver, seconds=5.0, clock=clock)
    assert (summary.ended, summary.reason) == ("stopped", number.name)
    assert summary.ticks == 6
    assert driver.log[-1] == "damp"
    assert signal.getsignal(number) is before


def test_late_ticks_are_skipped_and_counted_and_never_bunched(pendulum, fakes):
    clock = fakes[0]({40: 0.036, 80: 0.0049, 120: 0.0071})
    driver = fakes[1](pendulum, clock)
    times = []
    driver.reading = lambda measured: times.append(measured.stamp) or measured
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=2.0, clock=clock)
    assert summary.late_ticks == 4 + 1
    assert np.diff(times).min() > 0.5e7
    off_grid = (np.array(times) - times[0]) % 10_000_000
    assert (off_grid > 0).sum() == 1  # 4.9 ms late: less than half a period, played at once
    assert summary.lateness_p50 == 0.0


def test_the_collection_before_a_run_makes_no_step_late(rig, fakes, monkeypatch):
    clock, driver = rig
    monkeypatch.setattr(gc, "collect", lambda: clock.sleep_until(clock.now() + 2_000_000_000))
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=0.1, clock=clock)
    assert summary.late_ticks == 0


def test_garbage_collection_is_as_before_after_a_run(rig, pendulum, fakes):
    clock, driver = rig
    during = []
    run(fakes[2](lambda i: during.append(gc.isenabled()) or [0.1]), driver, seconds=0.1,
        clock=clock)  # fmt: skip
    assert gc.isenabled()
    assert not any(during)
    assert gc.get_freeze_count() == 0


def test_a_goal_that_does_not_fit_the_source_is_refused(rig, pendulum, fakes):
    clock, driver = rig
    with pytest.raises(ControllerError, match="this source pursues none"):
        run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, goal=[1.0], clock=clock)
    assert driver.log == []


def test_a_goal_that_is_not_finite_never_reaches_the_robot(rig, pendulum, fakes):
    clock, driver = rig
    source = fakes[2](lambda i: [0.1])
    source.goal = (0.5,)
    with pytest.raises(ControllerError, match="finite"):
        run(source, driver, seconds=1.0, goal=[float("nan")], clock=clock)
    assert driver.log == []


class Person:
    """Does what a script says, by the number of the control step."""

    def __init__(self, script):
        self.script, self.step = script, -1

    def poll(self):
        self.step += 1
        return self.script.get(self.step, Event.NONE)


def test_somebody_who_stops_it_damps_at_once_and_goes_on_only_when_they_say_so(
    rig, pendulum, fakes
):
    clock, driver = rig
    states = []
    person = Person({50: Event.STOP, 200: Event.REARM})
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, clock=clock, operator=person,
                  on_progress=lambda state, _: states.append(state))  # fmt: skip
    assert summary.ended == "done"
    assert list(dict.fromkeys(states)) == [State.DAMP, State.READY, State.RUNNING]
    entries = ["damp" if isinstance(entry, str) else "command" for entry in driver.log]
    assert set(entries[50:203]) == {"damp"}
    assert entries[203] == "command"
    assert summary.ticks == 100 + 50 - 4  # a second after the re-arm, and what went before


def test_a_rearm_without_a_trip_changes_nothing(rig, fakes):
    clock, driver = rig
    person = Person({50: Event.REARM})
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, clock=clock, operator=person)
    assert (summary.ended, summary.ticks) == ("done", 100)


def test_a_trip_waits_for_somebody_until_it_is_ended(rig, fakes):
    clock, driver = rig
    driver.reading = lambda measured: None if measured.seq == 40 else measured

    class Leaves(Person):
        def poll(self):
            if self.step == 300:
                os.kill(os.getpid(), signal.SIGINT)
            return super().poll()

    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, clock=clock,
                  operator=Leaves({}))  # fmt: skip
    assert (summary.ended, summary.reason) == ("trip", "no measurement came")
    assert driver.log[-1] == "damp"


def test_in_shadow_nothing_is_sent_at_all(rig, fakes):
    clock, driver = rig
    summary = run(fakes[2](lambda i: [0.1]), driver, seconds=1.0, clock=clock, shadow=True)
    assert summary.ticks == 100
    assert driver.log == []


def test_a_signal_that_the_caller_hears_ends_the_run_and_is_still_known_after_it(rig, fakes):
    clock, driver = rig
    before = signal.getsignal(signal.SIGTERM)

    def function(i):
        if i == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return [0.1]

    with stop_on_signals() as stop:
        first = run(fakes[2](function), driver, seconds=5.0, clock=clock, stop=stop)
        second = run(fakes[2](lambda i: [0.1]), driver, seconds=5.0, clock=clock, stop=stop)
    assert (first.ended, first.ticks) == ("stopped", 6)
    assert (second.ended, second.reason, second.ticks) == ("stopped", "SIGTERM", 0)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_lateness_of_a_loop_that_runs_for_days_takes_no_more_memory(fakes):
    clock = fakes[0]({i: 1e-4 for i in range(100)})
    grid = Grid(clock, 100.0)
    for _ in range((1 << 17) + 100):
        grid.wait()
    assert len(grid.lateness) == 1 << 17
    assert max(grid.lateness) == 0  # the first hundred are forgotten
