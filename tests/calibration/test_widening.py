"""How much wider a posterior must be to hold other logs."""

from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Cut
from sim2real.calibration.widening import widening
from sim2real.errors import CalibrationError
from sim2real.evaluation.calibration_report import write_calibration_report

MASS = "body.bob.mass"


@pytest.fixture(scope="module")
def problem(pendulum, recipe):
    return Problem(pendulum, recipe(MASS))


@pytest.fixture(scope="module")
def residual(problem, record, noisy):
    """Of a pendulum that is 5 % heavier than what is known of it."""
    return problem.residual([noisy(record({MASS: 1.05 * 0.546}, seconds=6.0), noise=1e-3)])


def test_a_posterior_that_holds_a_log_is_not_widened(problem, residual):
    at = problem.coordinates.z(np.array([1.05 * 0.546]))
    assert widening(residual, at, np.full((1, 1), 0.05**2)) < 1.5


def test_a_narrow_one_is_widened_until_the_other_mass_is_a_standard_deviation_away(
    problem, residual
):
    nominal = problem.coordinates.z(np.array([0.546]))
    off = float(problem.coordinates.z(np.array([1.05 * 0.546]))[0] - nominal[0])
    narrow = (0.02 * off) ** 2
    std = np.sqrt(widening(residual, nominal, np.full((1, 1), narrow)) * narrow)
    # all windows are off by the same share of what the mass moves
    assert std == pytest.approx(abs(off), rel=0.25)


def test_twice_the_covariance_takes_half_the_factor(problem, residual):
    nominal = problem.coordinates.z(np.array([0.546]))
    small, large = (
        widening(residual, nominal, np.full((1, 1), variance)) for variance in (1e-6, 2e-6)
    )
    assert small == pytest.approx(2 * large, rel=1e-3)


def test_parameters_that_move_nothing_are_left_as_they_are(problem, residual):
    assert widening(residual, problem.coordinates.z(np.array([0.546])), np.zeros((1, 1))) == 1.0


@pytest.fixture(scope="module")
def widened(pendulum, recipe, record, noisy):
    """A calibration to one pendulum, widened until it holds another one's log."""
    chosen = recipe(
        MASS, widen=True, published={MASS: 0.9}, windows=Cut(seconds=0.3, horizons=(0.3,))
    )
    fitted = noisy(record({MASS: 0.546}, seconds=4.0), noise=1e-3)
    other = noisy(record({MASS: 0.6, "joint.pivot.frictionloss": 0.3}, seconds=4.0, seed=1))
    return calibrate(pendulum, chosen, [fitted], [other])


def test_a_widened_posterior_is_nowhere_wider_than_the_prior(problem, widened):
    prior = problem.coordinates.spread[0] ** 2
    assert widened.widened > 10.0
    assert 0.9 * prior < widened.posterior.covariance[0][0] <= prior * 1.001


def test_published_parameters_are_compared_beside_the_calibrated_ones(widened):
    (row,) = widened.held_out
    assert row.published is not None
    assert row.published > row.calibrated


def test_the_report_shows_published_parameters_and_says_what_was_widened(widened, tmp_path):
    write_calibration_report(tmp_path / "page.html", widened)
    page = (tmp_path / "page.html").read_text()
    assert "<th>published</th>" in page
    assert "was widened" in page
    plain = replace(widened, widened=1.0, held_out=(replace(widened.held_out[0], published=None),))
    write_calibration_report(tmp_path / "plain.html", plain)
    page = (tmp_path / "plain.html").read_text()
    assert "<th>published</th>" not in page
    assert "was widened" not in page


def test_there_is_nothing_to_widen_for_without_a_held_out_log(pendulum, recipe, record):
    log = replace(record({MASS: 0.546}, seconds=6.0), source="one")
    with pytest.raises(CalibrationError, match="hold one out"):
        calibrate(pendulum, recipe(MASS, widen=True), [log])
