"""The class of models that held-in validation takes."""

from dataclasses import replace

import pytest

from sim2real.calibration.choose import choose
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Choice, Cut
from sim2real.errors import CalibrationError

DAMPING, DRY = "joint.pivot.damping", "joint.pivot.frictionloss"
CLASSES = Choice(classes={"viscous": (), "viscous and dry": (DRY,)})


@pytest.fixture(scope="module")
def problem(pendulum, recipe):
    """Two classes; what is dry is nominally 0.1 Nm where it is not fitted."""
    return Problem(pendulum, recipe(DAMPING, DRY, choose=CLASSES, windows=Cut(horizons=(0.5,))))


@pytest.fixture(scope="module")
def logs(record, noisy):
    def make(dry):
        planted = {DAMPING: 0.04, DRY: dry}
        return [noisy(record(planted, seed=i, seconds=5.0), seed=i) for i in (0, 1)]

    return make


def test_what_the_logs_need_is_taken(problem, logs):
    chosen, candidates = choose(problem, logs(0.25), seed=0)
    told = {each.name: each for each in candidates}
    assert told["viscous and dry"].chosen
    assert told["viscous and dry"].error < 0.8 * told["viscous"].error
    assert chosen.names == (DAMPING, DRY)


def test_what_they_do_not_need_is_left_out(problem, logs):
    chosen, candidates = choose(problem, logs(0.1), seed=0)  # as the nominal model has it
    assert [each.chosen for each in candidates] == [True, False]
    assert chosen.names == (DAMPING,)


def test_a_fold_that_cannot_be_predicted_is_refused(problem, logs):
    one, two = logs(0.1)
    short = replace(
        two, time=two.time[:40], position=two.position[:40], velocity=two.velocity[:40],
        command=two.command[:40], source="short.csv",
    )  # fmt: skip
    with pytest.raises(CalibrationError, match=r"short.csv cannot be predicted.*0.5 s"):
        choose(problem, [one, two, short], seed=0)


def test_one_fold_is_no_choice(problem, logs):
    with pytest.raises(CalibrationError, match="at least two"):
        choose(problem, logs(0.1)[:1], seed=0)
