"""Stretches that no fit should take at their word are found, told, and not fitted."""

from dataclasses import replace

import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.recipe import Cut, Logs
from sim2real.calibration.segments import find_segments, not_fitted
from sim2real.evaluation.calibration_report import write_calibration_report

MASS = "body.bob.mass"


@pytest.fixture(scope="module")
def log(record):
    return record({MASS: 0.6}, seconds=8.0)


@pytest.fixture(scope="module")
def frozen(log):
    """The encoder repeats itself for half a second."""
    position = log.position.copy()
    position[300:350] = position[300]
    return replace(log, position=position, source="day1/frozen[1].csv")


def test_a_frozen_sensor_is_told_and_not_fitted(pendulum, recipe, log, frozen, tmp_path):
    quick = Cut(horizons=(0.5,))
    result = calibrate(pendulum, recipe(MASS, windows=quick), [frozen], [log])
    (part,) = result.segments
    assert (part.log, part.kind, part.joint, part.fitted) == (
        "day1/frozen[1].csv", "frozen", "pivot", False,
    )  # fmt: skip
    assert part.seconds == pytest.approx(0.5, abs=0.05)
    assert result.dropped["a frozen sensor"] >= 1
    (mass,) = result.estimates
    assert mass.value == pytest.approx(0.6, rel=0.01)
    write_calibration_report(tmp_path / "page.html", result)
    page = (tmp_path / "page.html").read_text()
    assert "frozen[1].csv" in page
    assert "left out" in page


def test_a_drive_at_its_limit_is_told_and_replayed_so_unless_asked_otherwise(pendulum, log):
    command = log.command.copy()
    command[200:260] = 2.0  # the pendulum's limit
    pushed = replace(log, command=command)
    (part,) = find_segments([pushed], pendulum, Logs().leave_out)
    assert (part.kind, part.fitted) == ("saturated", True)
    assert not_fitted([part]) == []
    (part,) = find_segments([pushed], pendulum, ("saturated",))
    ((source, begin, end, reason),) = not_fitted([part])
    assert (source, reason) == (log.source, "at a limit")
    assert (begin, end) == pytest.approx((2.0, 2.59), abs=0.02)
