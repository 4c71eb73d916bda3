from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Fact, Parameter, Run
from sim2real.errors import CalibrationError, ConfigError

OWN = {"body.bob.mass": Parameter(prior={"set": [0.3, 2.0]})}
HEAVY = {"payload": Run(logs=("twin-1*",), own=OWN)}


@pytest.fixture(scope="module")
def two(record, noisy):
    """A light and a heavy pendulum with the same friction."""
    light = {"body.bob.mass": 0.5, "joint.pivot.frictionloss": 0.12}
    heavy = {"body.bob.mass": 1.1, "joint.pivot.frictionloss": 0.12}
    return [noisy(record(light, seed=0, seconds=8.0)), noisy(record(heavy, seed=1, seconds=8.0))]


@pytest.fixture(scope="module")
def joint_recipe(recipe):
    return recipe("body.bob.mass", "joint.pivot.frictionloss", runs=HEAVY)


def test_runs_share_what_is_not_their_own(pendulum, joint_recipe, two):
    result = calibrate(pendulum, joint_recipe, two)
    told = {estimate.name: estimate for estimate in result.estimates}
    assert list(told) == ["body.bob.mass", "joint.pivot.frictionloss", "payload: body.bob.mass"]
    np.testing.assert_allclose(told["body.bob.mass"].value, 0.5, rtol=0.03)
    np.testing.assert_allclose(told["payload: body.bob.mass"].value, 1.1, rtol=0.03)
    np.testing.assert_allclose(told["joint.pivot.frictionloss"].value, 0.12, rtol=0.1)
    # each robot has a posterior of its own, in the model's names
    assert result.posterior.names == ("body.bob.mass", "joint.pivot.frictionloss")
    payload = result.run_posteriors["payload"]
    assert payload.names == ("joint.pivot.frictionloss", "body.bob.mass")
    assert payload.mean[1] == told["payload: body.bob.mass"].value


def test_an_unknown_is_spread_over_the_logs_of_its_run(pendulum, joint_recipe, two):
    problem = Problem(pendulum, joint_recipe)
    assignment = problem.assignment(two)
    spread = assignment.spread(np.array([[1.0, 2.0, 3.0]]), np.array([0, 1, 1]))
    np.testing.assert_array_equal(spread, [[[1.0, 2.0], [3.0, 2.0], [3.0, 2.0]]])
    np.testing.assert_array_equal(assignment.touches(2), [False, True])


def test_what_is_known_of_a_log_is_not_estimated(pendulum, recipe, two):
    chosen = recipe(
        "joint.pivot.frictionloss",
        known={"body.bob.mass": Fact(fact="grams", scale=1e-3)},
        runs={"payload": Run(logs=("twin-1*",), known={"body.bob.mass": 1.1})},
    )
    logs = [replace(two[0], facts={"grams": 500}), two[1]]
    assignment = Problem(pendulum, chosen).assignment(logs)
    assert assignment.written == ("joint.pivot.frictionloss", "body.bob.mass")
    np.testing.assert_allclose(assignment.value[:, 1], [0.5, 1.1])
    with pytest.raises(CalibrationError, match="what the log says of 'grams'"):
        Problem(pendulum, chosen).assignment(two[:1])


def test_a_run_without_logs_is_left_out_and_one_that_is_only_held_out_refused(joint_recipe, two):
    assert with_runs_of(joint_recipe, two[:1], []).runs == {}
    with pytest.raises(CalibrationError, match="nothing tells the own parameters"):
        with_runs_of(joint_recipe, two[:1], two[1:])


def test_a_log_of_two_runs_is_refused(pendulum, recipe, two):
    runs = {name: Run(logs=("twin*",), own=OWN) for name in ("a", "b")}
    with pytest.raises(CalibrationError, match="runs a and b"):
        Problem(pendulum, recipe("body.bob.mass", runs=runs)).assignment(two)


def test_what_is_known_and_asked_for_is_refused():
    with pytest.raises(ConfigError, match="is known"):
        Run(logs=("*",), own=OWN, known={"body.bob.mass": 1.0})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("joint.pivot.position_noise", "no dice"),
        ("joint.pivot.velocity_bias", "acts on no position"),
        ("actuator.pivot.failure_time", "event of one moment"),
        ("actuator.pivot.thermal_fade", "builds up over minutes"),
        ("opt.timestep", "chosen for the simulation"),
    ],
)
def test_what_no_replay_can_tell_is_refused_with_the_reason(pendulum, recipe, name, reason):
    with pytest.raises(CalibrationError, match=reason):
        Problem(pendulum, recipe(priors={name: {"set": [0.0, 0.001]}}))
