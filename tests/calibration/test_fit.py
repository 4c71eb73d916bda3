"""The optimum: where it is, that it is reached from afar, and what it costs."""

from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.fit import fit
from sim2real.calibration.problem import Problem
from sim2real.calibration.search import Search

PLANTED = {"body.bob.mass": 0.66, "joint.pivot.frictionloss": 0.12}


@pytest.fixture(scope="module")
def problem(pendulum, recipe):
    return Problem(pendulum, recipe(*PLANTED))


@pytest.fixture(scope="module")
def log(record, noisy):
    return noisy(record(PLANTED, seconds=6.0), noise=1e-3)


def test_all_starts_end_at_what_was_planted(problem, log):
    residual = problem.residual([log])
    for start in ([-1.5, -1.5], [1.5, 1.5], [0.0, 1.7]):
        found = fit(residual, np.array(start))
        np.testing.assert_allclose(
            problem.coordinates.values(found.z), list(PLANTED.values()), rtol=0.03
        )


def test_noise_is_that_of_the_encoder(problem, log):
    found = fit(problem.residual([log]), np.zeros(2))
    quantization = 2.9e-3 / np.sqrt(12)
    assert found.weighting.noise == pytest.approx(np.hypot(1e-3, quantization), rel=0.25)


def test_a_window_with_a_push_hardly_counts(problem, log):
    position = log.position.copy()
    position[300:] += 0.3 * np.sin(np.linspace(0, 3, len(position) - 300))[:, None] ** 2
    pushed = replace(log, position=np.where(np.arange(len(position))[:, None] < 400, position,
                                            log.position))  # fmt: skip
    found, residual = problem.solve([pushed], seed=0)
    weight, start = found.weighting.window, residual.windows.start
    inside = (start > 2.6) & (start < 4.0)
    assert weight[inside].min() < 0.2
    assert np.median(weight[~inside]) > 0.8


def test_what_lies_beyond_its_bounds_ends_on_them(pendulum, recipe, log):
    narrow = recipe(priors={"body.bob.mass": {"scale": [0.7, 1.1]}})
    found, _ = Problem(pendulum, narrow).solve([log], seed=0)
    assert Problem(pendulum, narrow).coordinates.values(found.z) == pytest.approx(1.1 * 0.546)


def test_of_several_starts_the_one_with_the_smallest_residuals_is_taken(pendulum, recipe, log):
    searching = recipe(*PLANTED, search=Search(starts=2))
    one, _ = Problem(pendulum, recipe(*PLANTED)).solve([log], seed=0)
    two, _ = Problem(pendulum, searching).solve([log], seed=0)
    assert two.weighting.noise <= one.weighting.noise


def test_an_encoders_gain_is_told_where_the_mass_is_known(pendulum, recipe, record, noisy):
    """With an unknown mass it is not: twice the angle under a torque is half the mass."""
    log = noisy(record({"joint.pivot.frictionloss": 0.12}, seconds=6.0), noise=1e-3)
    scaled = replace(log, position=0.93 * log.position, velocity=0.93 * log.velocity)
    asked = recipe(
        "joint.pivot.frictionloss", priors={"joint.pivot.position_gain": {"set": [0.7, 1.3]}}
    )
    problem = Problem(pendulum, asked)
    found, _ = problem.solve([scaled], seed=0)
    values = dict(zip(problem.names, problem.coordinates.values(found.z), strict=True))
    assert values["joint.pivot.position_gain"] == pytest.approx(0.93, abs=0.01)
    assert values["joint.pivot.frictionloss"] == pytest.approx(0.12, rel=0.05)
