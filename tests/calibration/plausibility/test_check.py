from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.plausibility.check import findings, require_plausible
from sim2real.errors import LogError

ROBOTS = ("pendulum", "double_pendulum", "so101")
DEGREE = 180 / np.pi


def kinds(log, robot):
    return [found.kind for found in findings(log, robot)]


def only(log, robot):
    (found,) = findings(log, robot)
    return found


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("seed", range(4))
def test_a_log_read_right_is_not_doubted_though_the_model_is_wrong(twin, robots, name, seed):
    assert findings(twin(name, seed=seed), robots[name]) == ()


@pytest.mark.parametrize("name", ROBOTS)
def test_degrees_read_as_radians_are_found(twin, robots, measured_by, name):
    for found in findings(measured_by(twin(name), DEGREE), robots[name]):
        assert found.kind == "units"
        assert 'unit = "deg"' in found.message
    assert kinds(measured_by(twin(name), DEGREE), robots[name])


@pytest.mark.parametrize("name", ROBOTS)
def test_degrees_of_the_position_or_the_velocity_alone_are_found(twin, robots, name):
    log = twin(name)
    for wrong in ({"position": log.position * DEGREE}, {"velocity": log.velocity * DEGREE}):
        assert set(kinds(replace(log, **wrong), robots[name])) == {"units"}


def test_commands_in_degrees_are_found(twin, robots):
    log = twin("so101")
    told = findings(replace(log, command=log.command * DEGREE), robots["so101"])
    assert {found.kind for found in told} == {"units"}


@pytest.mark.parametrize("name", ROBOTS)
def test_each_inverted_joint_is_named(twin, robots, measured_by, name):
    for i, joint in enumerate(robots[name].joints):
        signs = np.where(np.arange(len(robots[name].joints)) == i, -1.0, 1.0)
        found = only(measured_by(twin(name), signs), robots[name])
        assert found.kind == "sign"
        assert repr(joint) in found.message


@pytest.mark.parametrize("name", ROBOTS)
def test_an_inverted_velocity_is_named(twin, robots, name):
    log = twin(name)
    velocity = log.velocity.copy()
    velocity[:, 0] *= -1
    found = only(replace(log, velocity=velocity), robots[name])
    assert (found.kind, "velocity of" in found.message) == ("sign", True)
    assert repr(log.joints[0]) in found.message


@pytest.mark.parametrize("name", ROBOTS)
def test_an_inverted_command_is_named(twin, robots, name):
    log = twin(name)
    command = log.command.copy()
    command[:, -1] *= -1
    found = only(replace(log, command=command), robots[name])
    assert found.kind == "sign"
    assert repr(log.driven[-1]) in found.message


@pytest.mark.parametrize(("name", "i", "j"), [("double_pendulum", 0, 1), ("so101", 1, 3)])
def test_swapped_joints_are_both_named(twin, robots, measured_by, name, i, j):
    log = twin(name)
    order = list(range(len(log.joints)))
    order[i], order[j] = j, i
    for wrong, what in (
        (measured_by(log, order=order), ""),
        (replace(log, command=log.command[:, order]), ""),
        (replace(log, velocity=log.velocity[:, order]), "velocities"),
    ):
        found = only(wrong, robots[name])
        assert found.kind == "swapped"
        assert repr(log.joints[i]) in found.message
        assert repr(log.joints[j]) in found.message
        assert what in found.message


def test_joints_swapped_with_their_commands_are_found_by_their_torques(twin, robots, measured_by):
    log = twin("double_pendulum")
    both = measured_by(replace(log, command=log.command[:, ::-1]), order=[1, 0])
    found = only(both, robots["double_pendulum"])
    assert found.kind == "swapped"
    assert "all signals" in found.message


def test_another_robots_range_is_told(twin, robots):
    log = twin("so101")
    position = log.position.copy()
    position[:, 2] += 4.0
    command = log.command.copy()
    command[:, 2] += 4.0
    found = only(replace(log, position=position, command=command), robots["so101"])
    assert found.kind == "limits"
    assert "another robot" in found.message


def test_signals_that_never_change_are_told(twin, robots):
    log = twin("so101")
    dead = np.ones_like(log.position)
    assert "nothing moves" in only(replace(log, position=dead), robots["so101"]).message
    one = log.position.copy()
    one[:, 4] = 0.1
    assert "'wrist_roll'" in only(replace(log, position=one), robots["so101"]).message
    velocity = log.velocity.copy()
    velocity[:, 0] = 0.0
    assert "leave it out" in only(replace(log, velocity=velocity), robots["so101"]).message


def drifting(log, ppm):
    stamps = log.time[0] + np.round((log.time - log.time[0]) * (1 + ppm * 1e-6)).astype(np.int64)
    return replace(log, command_time=stamps + 1_000_000)


@pytest.mark.parametrize("ppm", [800.0, -800.0])
def test_a_drifting_clock_is_told_with_its_rate(twin, robots, ppm):
    log = twin("so101", seconds=100.0)
    found = only(drifting(log, ppm), robots["so101"])
    assert found.kind == "drift"
    told = float(found.message.split("(")[1].split(" ppm")[0])
    assert told == pytest.approx(-ppm, abs=150)
    assert findings(drifting(log, 0.0), robots["so101"]) == ()


def test_the_scale_that_the_message_gives_repairs_the_drift(twin, robots):
    wrong = drifting(twin("so101", seconds=100.0), 800.0)
    scale = float(only(wrong, robots["so101"]).message.split("the scale ")[1])
    assert wrong.command_time is not None
    repaired = np.round(wrong.command_time * scale).astype(np.int64)
    assert findings(replace(wrong, command_time=repaired), robots["so101"]) == ()


@pytest.mark.parametrize("factor", [1000, 1e-4])
def test_a_time_in_another_unit_is_told(twin, robots, factor):
    log = twin("pendulum")
    time = np.round(log.time * factor).astype(np.int64)
    found = only(replace(log, time=time), robots["pendulum"])
    assert found.kind == "units"
    assert 'unit = "s", "ms"' in found.message


def test_torques_in_another_unit_are_told(twin, robots):
    log = twin("pendulum")
    found = only(replace(log, command=1e3 * log.command), robots["pendulum"])
    assert found.kind == "units"
    assert 'unit = "mNm"' in found.message


def test_rows_with_the_drives_off_do_not_count(twin, robots):
    log = twin("so101", seconds=100.0)
    enabled = log.time < 2 * 10**9
    wrong = replace(log, position=np.where(enabled[:, None], log.position, -log.position))
    assert "sign" in kinds(wrong, robots["so101"])
    assert findings(replace(wrong, enabled=enabled), robots["so101"]) == ()


def test_what_is_accepted_is_not_told(twin, robots, measured_by):
    wrong = measured_by(twin("pendulum"), -1.0)
    with pytest.raises(LogError, match=r'scale = -1.*logs.accept = \["sign"\]'):
        require_plausible(wrong, robots["pendulum"])
    require_plausible(wrong, robots["pendulum"], accept=("sign",))
