"""What the calibration reaches on logs of a real pendulum, where they are present."""

import os
from pathlib import Path

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.logs import read_log
from sim2real.calibration.recipe import Recipe
from sim2real.calibration.result import Calibration
from sim2real.calibration.rollouts import Rollouts, calibration_model, grid_of
from sim2real.calibration.windows import cut
from sim2real.randomization.parameters import ParameterSet
from sim2real.shipped import folder

LOGS = Path(
    os.environ.get("SIM2REAL_LOGS", Path(__file__).resolve().parents[3] / "shared" / "logs")
)
PENDULUM = LOGS / "pendulum"

pytestmark = pytest.mark.skipif(
    not PENDULUM.is_dir(), reason=f"no real logs in {PENDULUM}: set SIM2REAL_LOGS"
)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe.load(folder("calibration") / "pendulum_dfki")


@pytest.fixture(scope="module")
def calibration(pendulum, recipe) -> Calibration:
    fit, held_out = recipe.fit_files(PENDULUM), recipe.held_out_files(PENDULUM)
    return calibrate(pendulum, recipe, fit, held_out, nthread=2)


def published_error(pendulum, recipe, paths):
    model = calibration_model(pendulum, recipe)
    parameters = ParameterSet(model, ("pivot",), tuple(recipe.parameters))
    # the published m 0.6755 kg at 0.5 m with damping 0.1, as moments of this model
    published = np.array([[0.6105, 0.0052, 0.1, 0.0]])
    logs = [read_log(path, recipe, pendulum) for path in paths]
    windows = cut(logs, recipe, grid_of(pendulum, model), 0.5)
    predicted = Rollouts(pendulum, model, parameters, nthread=2).predict(windows, published)
    return float(np.sqrt(((predicted - windows.measured) ** 2).mean()))


def half_second(calibration):
    (error,) = [p.calibrated for p in calibration.held_out if p.seconds == 0.5]
    return error


def test_the_fit_beats_the_published_parameters_on_held_out_logs(calibration, pendulum, recipe):
    published = published_error(pendulum, recipe, recipe.held_out_files(PENDULUM))
    assert half_second(calibration) <= 0.032
    assert half_second(calibration) < 0.7 * published


def test_it_does_so_with_the_logs_the_other_way_round(pendulum, recipe):
    fit, held_out = recipe.held_out_files(PENDULUM), recipe.fit_files(PENDULUM)
    calibration = calibrate(pendulum, recipe, fit, held_out, nthread=2)
    published = published_error(pendulum, recipe, held_out)
    assert half_second(calibration) <= 0.020
    assert half_second(calibration) < 0.5 * published


def test_every_horizon_improves(calibration):
    assert calibration.improves
    assert {p.seconds for p in calibration.held_out} == {0.25, 0.5, 1.0}


def test_the_moments_are_those_of_a_fit_with_other_means(calibration):
    mass, armature, *_ = calibration.posterior.mean
    gravity = 0.5 * mass + 0.25 * 0.13
    inertia = 0.25 * mass + 2e-4 + 0.0625 * 0.13 + 0.002713 + armature
    np.testing.assert_allclose([gravity, inertia], [0.3649, 0.1827], rtol=0.05)


def test_pushes_and_the_upright_are_left_out(pendulum, recipe):
    log = read_log(PENDULUM / "energy_shaping.csv", recipe, pendulum)
    windows = cut([log], recipe, grid_of(pendulum, calibration_model(pendulum, recipe)), 0.5)
    assert windows.dropped["excluded by the recipe"] > 0
    assert windows.dropped["enters a stretch that pivot avoids"] > 0
