from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.survey import runs, survey
from sim2real.trajectory import Trajectory


@pytest.fixture
def swing(pendulum) -> Trajectory:
    """5 s of a clean swing at 200 Hz, the torque well below the limit."""
    t = np.arange(1000) * 0.005
    return Trajectory(
        joints=("pivot",),
        driven=("pivot",),
        time=(t * 1e9).astype(np.int64),
        position=np.sin(3 * t)[:, None],
        velocity=3 * np.cos(3 * t)[:, None],
        command=0.5 * np.cos(t)[:, None],
        source="swing",
    )


def kinds(found):
    return [stretch.kind for stretch in found.stretches]


def test_a_clean_log_has_its_rate_and_nothing_to_leave_out(swing, pendulum):
    found = survey(swing, pendulum)
    assert found.measurements.rate == pytest.approx(200.0)
    assert found.measurements.seconds == pytest.approx(4.995)
    assert found.measurements.gaps == 0
    assert found.measurements.jitter < 2e-9
    assert found.commands is None
    assert found.stretches == ()
    assert found.channels[0].position == pytest.approx((-1.0, 1.0), abs=1e-4)


def test_a_gap_is_found_where_rows_are_missing(swing, pendulum):
    keep = np.r_[0:300, 340:1000]
    arrays = {n: getattr(swing, n)[keep] for n in ("time", "position", "velocity", "command")}
    found = survey(replace(swing, **arrays), pendulum)
    assert found.measurements.gaps == 1
    (gap,) = found.stretches
    assert gap.kind == "gap"
    assert (gap.begin, gap.end) == pytest.approx((299 * 0.005, 340 * 0.005))


def test_jitter_is_what_steps_differ_from_the_usual_one(swing, pendulum):
    rng = np.random.default_rng(0)
    moved = swing.time + rng.integers(-500_000, 500_001, len(swing.time))
    found = survey(replace(swing, time=moved), pendulum)
    assert 0.7e-3 < found.measurements.jitter <= 1e-3


def test_commands_on_their_own_clock_are_told_apart(swing):
    sent = np.arange(50, dtype=np.int64) * 100_000_000
    found = survey(replace(swing, command_time=sent, command=swing.command[:50]))
    assert found.commands is not None
    assert found.commands.rate == pytest.approx(10.0)


def test_torque_at_its_limit_is_saturated(swing, pendulum):
    limit = pendulum.joints["pivot"].limits.torque
    command = swing.command.copy()
    command[400:500] = -limit
    found = survey(replace(swing, command=command), pendulum)
    assert kinds(found) == ["saturated"]
    assert (found.stretches[0].begin, found.stretches[0].end) == pytest.approx((2.0, 2.495))
    assert found.channels[0].saturated == pytest.approx(0.1)


def test_a_sensor_that_froze_is_found_and_one_at_rest_is_not(swing, pendulum):
    position, velocity = swing.position.copy(), swing.velocity.copy()
    position[200:280] = position[200]  # 0.4 s, then it jumps to where the joint is
    frozen = survey(replace(swing, position=position), pendulum)
    assert kinds(frozen) == ["frozen"]
    assert frozen.stretches[0].begin == pytest.approx(1.0)
    position, velocity = swing.position.copy(), swing.velocity.copy()
    position[600:], velocity[600:] = position[600], 0.0
    assert kinds(survey(replace(swing, position=position, velocity=velocity), pendulum)) == []


def test_a_tachometer_that_is_off_by_a_step_freezes_no_joint_at_rest(swing, pendulum):
    position = np.round(swing.position / 1e-3) * 1e-3
    velocity = np.round(swing.velocity / 0.024) * 0.024
    position[600:] = position[600]
    velocity[600:] = 0.024 * (1 + np.arange(400)[:, None] % 2)  # as of an XL330 that sticks
    assert kinds(survey(replace(swing, position=position, velocity=velocity), pendulum)) == []


def test_an_encoders_steps_are_no_freezing(swing, pendulum):
    slow = np.round(0.02 * swing.position / 2.9e-3) * 2.9e-3
    assert kinds(survey(replace(swing, position=slow, velocity=0.02 * swing.velocity))) == []


def test_drives_that_were_off_are_told(swing):
    enabled = np.ones(1000, bool)
    enabled[100:200] = False
    assert kinds(survey(replace(swing, enabled=enabled))) == ["off"]


def test_runs_are_the_stretches_in_which_rows_hold():
    assert list(runs(np.array([1, 1, 0, 1], bool))) == [(0, 2), (3, 4)]
    assert list(runs(np.zeros(3, bool))) == []
