"""The same rows become the same trajectory, whatever they were written in."""

from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.columns import Topics
from sim2real.calibration.logs import read_log
from sim2real.errors import LogError

FORMATS = ("csv", "npz", "hdf5", "json", "mcap-cdr", "mcap-json", "rosbag2-sqlite3",
           "rosbag2-mcap", "ros1")  # fmt: skip
EPOCH = 1_700_000_000 * 10**9


VALUES = ("position", "velocity", "command")


@pytest.mark.parametrize("name", FORMATS)
def test_rows_are_read_exactly_in_the_robots_order(
    name, writers, rows, tmp_path, recipe_of, double_pendulum
):
    path, described = writers[name](rows, tmp_path)
    log = read_log(path, recipe_of(described), double_pendulum)
    assert (log.joints, log.driven, log.source) == (rows.joints, rows.driven, str(path))
    np.testing.assert_array_equal(log.time - EPOCH, rows.time)
    np.testing.assert_array_equal(log.command_stamps - EPOCH, rows.command_stamps)
    for value in VALUES:
        np.testing.assert_array_equal(getattr(log, value), getattr(rows, value))


def test_a_command_holds_from_its_own_stamp_on(rows):
    sent = rows.command_stamps
    np.testing.assert_array_equal(rows.commands_at(sent), rows.command)
    np.testing.assert_array_equal(rows.commands_at(sent[1:] - 1), rows.command[:-1])
    np.testing.assert_array_equal(rows.commands_at(sent[:1] - 1), rows.command[:1])


def test_the_recorders_clock_can_be_asked_for(writers, rows, tmp_path, recipe_of, double_pendulum):
    path, described = writers["mcap-cdr"](rows, tmp_path)
    assert isinstance(described, Topics)
    log = read_log(path, recipe_of(replace(described, clock="received")), double_pendulum)
    np.testing.assert_array_equal(log.time - EPOCH, rows.time + 50_000)


def test_episodes_of_lerobot_are_put_after_one_another(
    lerobot, rows, tmp_path, recipe_of, double_pendulum
):
    path, described = lerobot(rows, tmp_path, 120)
    log = read_log(path, recipe_of(described), double_pendulum)
    steps = np.diff(rows.time)
    steps[119] = 10**10  # no window spans it
    np.testing.assert_array_equal(np.diff(log.time), steps)
    for value in VALUES:
        np.testing.assert_array_equal(getattr(log, value), getattr(rows, value))


def test_one_episode_can_be_chosen(lerobot, rows, tmp_path, recipe_of, double_pendulum):
    path, described = lerobot(rows, tmp_path, 120)
    log = read_log(path, recipe_of(replace(described, episodes=(1,))), double_pendulum)
    np.testing.assert_array_equal(log.position, rows.position[120:])


def test_an_episode_that_is_not_there_is_refused(
    lerobot, rows, tmp_path, recipe_of, double_pendulum
):
    path, described = lerobot(rows, tmp_path, 120)
    with pytest.raises(LogError, match=r"no episode 7.*known: 0, 1"):
        read_log(path, recipe_of(replace(described, episodes=(7,))), double_pendulum)


def test_the_same_rows_give_the_same_fit(writers, lerobot, record, tmp_path, recipe, pendulum):
    planted = {"body.bob.mass": 0.6, "joint.pivot.frictionloss": 0.1}
    together = record(planted, seconds=3.0)
    later = replace(together, command_time=together.time + 137_000)
    path, described = lerobot(together, tmp_path)  # it has one clock only
    pairs = [(together, None, together), (path, described, together), (later, None, later)]
    for name in FORMATS:
        (tmp_path / name).mkdir()
        pairs.append((*writers[name](later, tmp_path / name), later))
    means = {id(together): [], id(later): []}
    for log, described, twin in pairs:
        key = "topics" if isinstance(described, Topics) else "columns"
        found = calibrate(pendulum, recipe(*planted, **{key: described}), [log])
        means[id(twin)].append(found.posterior.mean)
    for same in means.values():
        np.testing.assert_allclose(same, [same[0]] * len(same), rtol=1e-6)
    assert len(means[id(later)]) == 1 + len(FORMATS)
    # the clock is not for nothing
    assert not np.allclose(means[id(later)][0], means[id(together)][0], rtol=1e-6)
