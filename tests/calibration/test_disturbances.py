from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.disturbances import find_disturbances
from sim2real.calibration.latency import lags, with_lags
from sim2real.calibration.problem import Problem
from sim2real.calibration.result import publish
from sim2real.errors import CalibrationError
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory

ONE = np.zeros(1, np.int32)


@pytest.fixture(scope="module")
def pushed(pendulum, noisy):
    """A swinging pendulum that a hand pushes from 4 to 4.2 s."""
    sim = MujocoSimulator(pendulum, 1, model=compile_model(pendulum))
    zero = np.zeros((1, 1))
    sim.reset(ONE, zero, zero, zero)
    applied = sim.fields.bind("qfrc_applied")
    command = 1.2 * np.sin(2 * np.pi * 0.7 * np.arange(800) * 0.01)[:, None]
    rows = []
    for step, u in enumerate(command):
        rows.append((sim.position[0].copy(), sim.velocity[0].copy()))
        applied[...] = 6.0 if 400 <= step < 420 else 0.0
        sim.step(u[None])
    position, velocity = np.array(rows).transpose(1, 0, 2)
    stamps = np.arange(800, dtype=np.int64) * 10_000_000
    return noisy(
        Trajectory(
            joints=("pivot",), driven=("pivot",), time=stamps, position=position,
            velocity=velocity, command=command, source="pushed",
        )
    )  # fmt: skip


def test_a_push_is_found_where_it_was_and_nowhere_else(pendulum, recipe, pushed):
    problem = Problem(pendulum, recipe("body.bob.mass"))
    for mass in (0.546, 0.7):  # also by a model that is wrong
        (push,) = find_disturbances(problem, [pushed], np.array([mass]))
        assert 3.6 < push.begin < 4.0
        assert 4.2 < push.end < 4.6
        assert 3.0 < push.torque < 9.0


def test_a_log_without_pushes_has_none(pendulum, recipe, record, noisy):
    problem = Problem(pendulum, recipe("body.bob.mass"))
    log = noisy(record({"body.bob.mass": 0.546}, seconds=10.0))
    assert find_disturbances(problem, [log], np.array([0.6])) == ()


def test_a_pushed_stretch_is_told_and_not_fitted(pendulum, recipe, pushed):
    result = calibrate(pendulum, recipe("body.bob.mass"), [pushed])
    assert [push.log for push in result.disturbances] == ["pushed"]
    assert result.dropped["pushed"] > 0
    (mass,) = result.estimates
    assert mass.interval[0] <= 0.546 <= mass.interval[1]


def test_a_lag_is_found_by_cross_correlation(pendulum, recipe, record, noisy):
    log = noisy(record({"actuator.pivot.delay": 0.023}, seconds=10.0))
    problem = Problem(pendulum, recipe("actuator.pivot.delay"))
    found = lags(problem, [log], np.array([0.01]))
    assert abs(found["pivot"] - 0.023) < 0.004
    assert with_lags(problem, np.array([0.01]), found)[0] == pytest.approx(found["pivot"])


def test_a_calibration_that_was_held_against_nothing_is_not_published(
    pendulum, recipe, record, noisy, tmp_path
):
    log = noisy(record({"body.bob.mass": 0.65}, seconds=6.0))
    result = calibrate(pendulum, recipe("body.bob.mass"), [log])
    with pytest.raises(CalibrationError, match="no log was held out"):
        publish(result, tmp_path, "unit")
    assert not list(tmp_path.iterdir())
    check = noisy(record({"body.bob.mass": 0.65}, seed=3, seconds=6.0))
    better = calibrate(pendulum, recipe("body.bob.mass"), [log], [check])
    place = publish(better, tmp_path, "unit")
    assert {path.name for path in place.iterdir()} == {"posterior.toml", "calibration.json"}
    assert place == tmp_path / "pendulum" / "unit"
    with pytest.raises(CalibrationError, match="no path"):
        publish(better, tmp_path, "../x")
    unseen = replace(better, held_out=better.held_out[:-1])
    with pytest.raises(CalibrationError, match="no held-out log has a window of 1 s"):
        publish(unseen, tmp_path, "unit")
    worse = replace(better.held_out[0], calibrated=1.0)
    with pytest.raises(CalibrationError, match="nominal model"):
        publish(replace(better, held_out=(worse,)), tmp_path, "unit")
