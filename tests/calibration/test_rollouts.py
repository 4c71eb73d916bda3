import numpy as np
import pytest

from sim2real.calibration.problem import Problem
from sim2real.calibration.residual import Residual
from sim2real.calibration.rollouts import calibration_model
from sim2real.calibration.windows import Windows
from sim2real.errors import CalibrationError

PLANTED = {
    "body.bob.mass": 0.6,
    "joint.pivot.damping": 0.03,
    "joint.pivot.frictionloss": 0.05,
    "actuator.pivot.delay": 0.0123,
    "actuator.pivot.gain": 0.9,
}


@pytest.fixture(scope="module")
def problem(pendulum, recipe, record):
    """The windows of a noiseless twin, with the true velocities at their starts."""
    log, chosen = record(PLANTED, seconds=6.0), recipe(*PLANTED)
    problem = Problem(pendulum, chosen)
    windows = problem.windows([log], 0.5)
    rows = np.round(windows.start * 100).astype(int)
    fields = {**vars(windows), "position": log.position[rows], "velocity": log.velocity[rows]}
    rollouts, assignment = problem.rollouts, problem.assignment([log])
    return Residual(rollouts, Windows(**fields), problem.coordinates, assignment), rollouts


def test_the_true_parameters_predict_the_log_from_the_middle_with_its_delay(problem):
    residual, rollouts = problem
    truth = np.array(list(PLANTED.values()))
    predicted = rollouts.predict(residual.windows, truth[None])[0]
    np.testing.assert_allclose(predicted, residual.windows.measured, atol=1e-7)


def test_one_rollout_of_many_variants_is_many_rollouts(problem, monkeypatch):
    residual, rollouts = problem
    values = residual.coordinates.values(np.random.default_rng(0).normal(0, 0.5, (5, 5)))
    together = rollouts.predict(residual.windows, values)
    monkeypatch.setattr("sim2real.calibration.rollouts._MOST_NUMBERS", 1)
    np.testing.assert_array_equal(together, rollouts.predict(residual.windows, values))


def test_the_jacobian_is_the_slope_of_the_residual_also_for_the_delay(problem):
    residual, _ = problem
    z, offset = (
        residual.coordinates.z(np.array(list(PLANTED.values()))),
        np.zeros((len(residual.windows), 2)),
    )
    J = residual.jacobian(z, offset)
    for i in range(5):
        step = 0.05 * np.eye(5)[i]
        central = (residual(z + step, offset) - residual(z - step, offset)) / 0.1
        np.testing.assert_allclose(J[..., i], central, atol=0.1 * np.abs(central).max())


def test_the_start_jacobian_begins_at_one(problem):
    residual, _ = problem
    offset = np.zeros((len(residual.windows), 2))
    J = residual.start_jacobian(np.zeros(5), offset)
    np.testing.assert_allclose(J[:, 0, 0], 1.0, atol=0.05)
    assert (J[:, 0, 1] > 0.004).mean() > 0.8  # a centisecond of velocity


def test_coordinates_are_standard_under_the_prior(problem):
    residual, _ = problem
    coordinates = residual.coordinates
    z = np.random.default_rng(0).uniform(-1.5, 1.5, (20, 5))
    np.testing.assert_allclose(coordinates.z(coordinates.values(z)), z, atol=1e-12)
    np.testing.assert_allclose(coordinates.centre[0], 0.546)
    np.testing.assert_allclose(coordinates.spread[0], 0.546 / np.sqrt(12), rtol=1e-3)
    np.testing.assert_allclose(np.exp(coordinates.centre[1]), np.sqrt(0.01 * 0.2), rtol=1e-3)
    assert coordinates.lower[3] == 0.001  # a delay is at least one physics step


def test_measured_torque_knows_no_limit(pendulum, recipe):
    model = calibration_model(pendulum, recipe("body.bob.mass", commands="measured"))
    assert not model.actuator_forcelimited.any()


def test_a_prior_without_width_is_refused(pendulum, recipe):
    chosen = recipe(priors={"joint.pivot.damping": {"set": [0.1, 0.1]}})
    with pytest.raises(CalibrationError, match="leave nothing to fit"):
        Problem(pendulum, chosen)
