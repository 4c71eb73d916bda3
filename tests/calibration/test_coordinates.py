import pytest

from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.errors import CalibrationError, ParameterError
from sim2real.randomization.parameters import ParameterSet
from sim2real.sim.model import compile_model


def coordinates(robot, prior, bounds=None):
    model = compile_model(robot)
    name = "body.bob.mass"
    recipe = Recipe(robot="pendulum", parameters={name: Parameter(prior=prior, bounds=bounds)})
    parameters = ParameterSet(model, ("pivot",), (name,))
    return Coordinates.of(recipe.unknowns, parameters, model.opt.timestep)


def test_a_prior_that_reaches_the_impossible_is_refused(pendulum):
    with pytest.raises(ParameterError, match="physically possible"):
        coordinates(pendulum, {"scale": [-0.5, 1.5]})


def test_a_normal_prior_is_cut_where_physics_ends(pendulum):
    assert coordinates(pendulum, {"scale": {"normal": [1.0, 0.5]}}).lower[0] > 0


def test_bounds_that_leave_nothing_are_refused(pendulum):
    with pytest.raises(CalibrationError, match="widen the prior"):
        coordinates(pendulum, {"scale": [0.9, 1.1]}, bounds=(2.0, 3.0))
