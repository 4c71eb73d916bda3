from dataclasses import replace

import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.origin import log_hashes, require_distinct
from sim2real.errors import CalibrationError

MASS = "body.bob.mass"


@pytest.fixture(scope="module")
def two(record):
    return [record({MASS: 0.6}, seconds=3.0, seed=seed) for seed in (0, 1)]


def test_a_log_that_is_fitted_cannot_be_held_out_under_another_name(pendulum, recipe, two):
    copy = replace(two[0], source="copy.csv")
    with pytest.raises(CalibrationError, match=r"copy.csv is held out.*rows of twin-0"):
        calibrate(pendulum, recipe(MASS), two[:1], [copy])


def test_a_log_counts_once(two):
    require_distinct(two[:1], two[1:])
    with pytest.raises(CalibrationError, match="would count twice"):
        require_distinct([two[0], replace(two[0], source="copy.csv")], [])


def test_logs_of_the_same_name_are_told_apart(two):
    day = [replace(log, source=f"day{i}/run.csv") for i, log in enumerate(two)]
    assert set(log_hashes(day)) == {"day0/run.csv", "day1/run.csv"}
    assert set(log_hashes(day[:1])) == {"run.csv"}
