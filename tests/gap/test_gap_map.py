"""The map of where a simulator is wrong, on gaps that were planted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sim2real.errors import CalibrationError, GapError
from sim2real.evaluation.gap_report import write_gap
from sim2real.gap.digest import digest
from sim2real.gap.gap_map import gap_map
from sim2real.gap.missing_torque import inertia, missing_acceleration
from sim2real.gap.replay import LogReplay
from sim2real.gap.suspects import suspects
from sim2real.parameters.posterior import Posterior
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model

PLANTED = {
    "joint.pivot.damping": 0.15,  # three times the nominal one
    "actuator.pivot.torque_limit": 0.6,
    "actuator.pivot.delay": 0.03,
    "body.bob.payload": 0.1,
}


@pytest.fixture(scope="module")
def damped(pendulum, record):
    """Return the map of a pendulum whose joint is damped three times as much."""
    return gap_map(pendulum, [record(pendulum, {"joint.pivot.damping": 0.15}, seconds=60.0)])


@pytest.fixture(scope="module")
def right(pendulum, record):
    """Return the map of a simulation that is right."""
    return gap_map(pendulum, [record(pendulum, {})])


def test_the_interval_of_a_simulation_that_is_right_holds_one_half(right):
    assert right.interval[0] <= 0.5 <= right.interval[1]


def test_a_simulation_that_is_right_cannot_be_told(right):
    found = right
    assert found.indistinguishable
    assert abs(found.auc - 0.5) < 0.06
    assert abs(found.nats) < 0.02
    assert not found.suspects
    assert not found.times


def test_three_times_the_damping_is_found_and_named(damped):
    assert damped.interval[0] > 0.8
    first = damped.suspects[0]
    assert first.name == "joint.pivot.damping"
    assert first.value == pytest.approx(0.15, rel=0.1)
    assert first.closed > 0.9
    assert damped.coordinates[0].name == "pivot velocity"
    assert damped.closed_auc is not None
    assert damped.closed_auc < 0.6


def test_it_grows_with_the_planted_gap(damped, pendulum, record):
    small = gap_map(pendulum, [record(pendulum, {"joint.pivot.damping": 0.07})], explain=False)
    assert 0.5 < small.auc < damped.auc
    assert not small.suspects


def test_a_torque_limit_is_a_local_gap(pendulum, record):
    log = record(pendulum, {"actuator.pivot.torque_limit": 0.6})
    found = gap_map(pendulum, [log], explain=False)
    assert found.verdict == "local"
    assert found.coordinates[0].name == "pivot command"


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_parameter_is_the_first_suspect(pendulum, record, name):
    replay = LogReplay(pendulum, [record(pendulum, {name: PLANTED[name]})])
    first = suspects(replay, replay.compare(1))[0]
    # a payload at the bob and a heavier bob move alike: either is right
    heavier = (name, first.name) == ("body.bob.payload", "body.bob.mass")
    assert first.name == name or heavier
    assert first.closed > 0.9
    found = first.value - 0.546 * heavier  # the bob's own mass
    assert found == pytest.approx(PLANTED[name], rel=0.15)


def test_of_two_joints_it_names_the_right_one(record):
    robot = find_robot("double_pendulum")
    joint = list(robot.joints)[1]
    log = record(robot, {f"joint.{joint}.damping": 0.15}, seconds=20.0, noise=2e-4)
    found = gap_map(robot, [log], explain=False)
    assert found.interval[0] > 0.6
    assert found.joints[0].joint == joint
    assert found.joints[0].drop > 3.0 * found.joints[1].drop


def test_a_calibration_closes_what_it_has_found(pendulum, record):
    log = record(pendulum, {"joint.pivot.damping": 0.15})
    posterior = Posterior(
        names=("joint.pivot.damping", "joint.pivot.position_noise"),
        mean=(0.15, 0.001),
        covariance=((1e-8, 0.0), (0.0, 1e-8)),
        lower=(0.0, 0.0),
        upper=(1.0, 1.0),
        origin={},
    )
    assert gap_map(pendulum, [log], posterior=posterior, explain=False).indistinguishable


def test_a_disturbance_is_found_in_time(pendulum, record):
    """For six seconds the recorded commands are not what acted."""
    log = record(pendulum, {})
    pushed = log.command.copy()
    pushed[1200:1800] += 0.8
    found = gap_map(pendulum, [replace(log, command=pushed)], explain=False)
    worst = found.times[0]
    assert 11.5 <= worst.begin <= 17.5
    assert 12.5 <= worst.end <= 18.5
    assert found.verdict == "local"


def test_missing_torque_is_the_torque_that_is_missing():
    """A pendulum's constant acceleration, seen through a wrong start."""
    time = 0.01 * np.arange(1, 21)
    residual = (0.3 + 0.2 * time + 0.5 * 4.0 * time**2)[None, :, None]
    np.testing.assert_allclose(missing_acceleration(residual, time), [[4.0]], rtol=1e-9)


def test_the_inertia_of_a_pendulum_is_that_of_its_masses(pendulum):
    matrices = inertia(pendulum, _model(pendulum), np.zeros((2, 1)))
    assert matrices.shape == (2, 1, 1)
    expected = 0.546 * 0.5**2 + 0.13 * (0.5**2 / 3)  # a bob at half a metre, and its rod
    assert matrices[0, 0, 0] == pytest.approx(expected, rel=0.1)


def test_the_page_and_its_json_say_the_same(damped, tmp_path):
    write_gap(damped, tmp_path / "gap.html")
    page = (tmp_path / "gap.html").read_text()
    text = (tmp_path / "gap.json").read_text()
    report = json.loads(text)
    assert digest(text) == damped.digest
    assert report["auc"] == pytest.approx(damped.auc)
    assert "joint.pivot.damping" in page
    assert page.count("<svg") == 5
    assert "<script" not in page


def test_a_short_log_is_refused(pendulum, record):
    with pytest.raises(GapError, match="at least 100 are needed"):
        gap_map(pendulum, [record(pendulum, {}, seconds=3.0)])


def test_no_logs_are_refused(pendulum):
    with pytest.raises(GapError, match="no logs to compare with"):
        LogReplay(pendulum, [])


def test_a_robot_whose_base_floats_is_refused(record):
    robot = find_robot("ant")
    with pytest.raises(CalibrationError, match="its base floats"):
        LogReplay(robot, [record(robot, {}, seconds=20.0)])


def _model(robot):
    return compile_model(robot)
