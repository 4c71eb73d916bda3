import numpy as np
import pytest

from sim2real.calibration.bands import Uncertain, band, coverage, draws
from sim2real.calibration.design import design
from sim2real.calibration.problem import Problem


def test_a_band_of_ninety_percent_holds_ninety_percent_of_what_it_was_made_for():
    rng = np.random.default_rng(0)
    scale = np.array([0.1, 0.5])
    predicted = scale * rng.standard_normal((400, 50, 20, 2))
    measured = scale * rng.standard_normal((50, 20, 2))
    found = coverage("test", predicted, measured)
    assert abs(found.covered - 0.9) < 0.02
    np.testing.assert_allclose(found.width, 2 * 1.645 * 0.3, rtol=0.02)
    low, high = band(predicted, 0.5)
    assert abs(((low < measured) & (measured < high)).mean() - 0.5) < 0.03


@pytest.fixture(scope="module")
def swing(pendulum, recipe, record, noisy):
    problem = Problem(pendulum, recipe("body.bob.mass", "joint.pivot.frictionloss"))
    log = noisy(record({"body.bob.mass": 0.6}, seconds=4.0))
    return problem, log, problem.windows([log], 0.5)


def test_all_that_is_uncertain_widens_a_band(swing):
    problem, log, windows = swing
    z = np.zeros(2)
    width = [
        float(np.ptp(draws(problem, [log], windows, z, uncertain, count=40), axis=0).mean())
        for uncertain in (
            Uncertain(covariance=None, start=False),
            Uncertain(covariance=0.01 * np.eye(2), start=False),
            Uncertain(covariance=0.01 * np.eye(2)),
            Uncertain(covariance=0.01 * np.eye(2), inadequacy=np.full((50, 1), 0.1)),
        )
    ]
    assert width[0] == 0.0
    assert width == sorted(width)
    assert width[3] > 2 * width[2]


def test_the_designed_motion_tells_more_than_the_others_and_stays_within_limits(swing):
    problem, *_ = swing
    few = design(problem, seconds=4.0, candidates=2, seed=3)
    more = design(problem, seconds=4.0, candidates=5, seed=3)
    assert more.information >= few.information  # the first two are among the five
    assert np.abs(more.excitation.signal).max() <= 2.0
    assert all(0 < share < 1 for share in more.narrowed)
    assert more.excitation.seconds == 4.0
