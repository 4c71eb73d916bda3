import json
from pathlib import Path

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Cut
from sim2real.calibration.result import Calibration
from sim2real.calibration.rollouts import Rollouts
from sim2real.errors import CalibrationError
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.parameters import ParameterSet
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model

PLANTED = {
    "body.bob.mass": 0.65,
    "joint.pivot.damping": 0.04,
    "joint.pivot.frictionloss": 0.06,
    "actuator.pivot.delay": 0.011,
    "actuator.pivot.gain": 0.9,
}


@pytest.fixture(scope="module", params=[0, 1, 2])
def calibrated(request, pendulum, recipe, record, noisy) -> tuple[dict[str, float], Calibration]:
    rng = np.random.default_rng(request.param)
    planted = {name: value * rng.uniform(0.8, 1.2) for name, value in PLANTED.items()}
    logs = [
        noisy(record(planted, seed=10 * request.param + i, seconds=12.0 - 4 * i)) for i in (0, 1)
    ]
    chosen = recipe(*PLANTED)
    return planted, calibrate(pendulum, chosen, logs[:1], logs[1:], nthread=2)


def test_the_planted_parameters_lie_in_their_intervals(calibrated):
    planted, result = calibrated
    for estimate in result.estimates:
        low, high = estimate.interval
        assert low <= planted[estimate.name] <= high, estimate


def test_what_a_swing_can_tell_is_identified_and_sharp(calibrated):
    planted, result = calibrated
    by_name = {estimate.name: estimate for estimate in result.estimates}
    for name, width in (("joint.pivot.damping", 0.8), ("joint.pivot.frictionloss", 0.8)):
        low, high = by_name[name].interval
        assert by_name[name].identified
        assert high - low < width * planted[name]
    delay = by_name["actuator.pivot.delay"]
    assert delay.identified
    assert abs(delay.value - planted["actuator.pivot.delay"]) < 1.5e-3
    assert delay.interval[1] - delay.interval[0] < 6e-3


def test_what_only_a_ratio_tells_is_correlated(calibrated):
    _, result = calibrated
    mass, gain = map(result.posterior.names.index, ("body.bob.mass", "actuator.pivot.gain"))
    std = result.posterior.std
    assert result.posterior.covariance[mass][gain] / (std[mass] * std[gain]) > 0.5


def test_the_calibrated_model_predicts_the_held_out_log_better(calibrated):
    _, result = calibrated
    assert [p.seconds for p in result.held_out] == [0.25, 0.5, 1.0]
    assert result.improves
    assert result.held_out[-1].calibrated < 0.5 * result.held_out[-1].nominal


# everything that has inertia or friction scales with the gain, so only ratios are seen
SCALE = {
    "body.bob.mass": {"scale": [0.3, 3.0]},
    "body.rod.mass": {"scale": [0.1, 10.0]},
    "joint.pivot.damping": {"set": [0.0, 0.3]},
    "joint.pivot.frictionloss": {"set": [0.0, 0.5]},
    "actuator.pivot.gain": {"scale": [0.5, 2.0]},
}


def test_a_scale_that_the_motion_cannot_tell_is_flagged(pendulum, recipe, record, noisy):
    planted = {"body.bob.mass": 0.6, "joint.pivot.damping": 0.05}
    log = noisy(record(planted, amplitude=0.8))  # twice that is still below the torque limit
    result = calibrate(pendulum, recipe(priors=SCALE), [log], nthread=2)
    told = {estimate.name: estimate for estimate in result.estimates}
    gain = told["actuator.pivot.gain"]
    assert not gain.identified
    assert "up with" in gain.verdict
    assert gain.interval[0] <= 1.0 <= gain.interval[1]


def test_a_parameter_that_nothing_depends_on_stays_at_its_prior(pendulum, recipe, record, noisy):
    log = noisy(record({"body.bob.mass": 0.6}, seconds=6.0))
    priors = {"geom.bob.friction[0]": {"set": [0.5, 1.5]}}
    result = calibrate(pendulum, recipe("body.bob.mass", priors=priors), [log])
    mass, friction = result.estimates
    assert mass.identified
    assert mass.interval[0] <= 0.6 <= mass.interval[1]
    assert "changes nothing" in friction.verdict
    np.testing.assert_allclose(friction.value, 1.0, atol=1e-6)
    np.testing.assert_allclose(result.posterior.std[1], 1 / np.sqrt(12), rtol=1e-3)


def test_a_log_at_rest_is_refused(pendulum, recipe, record, noisy):
    log = noisy(record({"body.bob.mass": 0.6}, amplitude=0.0, seconds=5.0))
    with pytest.raises(CalibrationError, match=r"window of 0.5 s to fit \(9 at rest\)"):
        calibrate(pendulum, recipe("body.bob.mass"), [log])


def test_a_log_that_nothing_is_compared_with_tells_no_certainty(pendulum, recipe, record):
    with pytest.raises(CalibrationError, match=r"3 windows within 2 s.*several logs"):
        calibrate(pendulum, recipe("body.bob.mass"), [record({}, seconds=2.0)])


def test_few_windows_are_enough(pendulum, recipe, record, noisy):
    few = Cut(stride=2.0, horizons=(0.5,))
    log = noisy(record({"body.bob.mass": 0.6}, seconds=5.0))
    result = calibrate(pendulum, recipe("body.bob.mass", windows=few), [log])
    assert result.windows == 3
    assert len(result.coverage) == 5


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"published": {"body.bob.mass": -1.0}}, "-1 is impossible"),
        ({"priors": {"actuator.pivot.delay": {"set": [0.0, 1e9]}}}, "at most 2 s"),
    ],
)
def test_what_is_impossible_is_refused_before_the_fit(pendulum, recipe, fields, says):
    with pytest.raises(CalibrationError, match=says):
        Problem(pendulum, recipe("body.bob.mass", **fields))


def test_names_that_the_robot_has_not_are_refused(pendulum, recipe, record):
    log = record({"body.bob.mass": 0.6}, seconds=2.0)
    with pytest.raises(CalibrationError, match="no joint 'elbow'"):
        calibrate(pendulum, recipe("body.bob.mass", avoid={"elbow": ((0, 1),)}), [log])
    with pytest.raises(CalibrationError, match="no logs"):
        calibrate(pendulum, recipe("body.bob.mass"), [])


def test_a_push_does_not_move_the_estimate_out_of_its_interval(pendulum, recipe, record, noisy):
    log = noisy(record({"body.bob.mass": 0.65}, seconds=10.0))
    log.position[500:520] += np.linspace(0, 0.3, 20)[:, None]
    log.position[520:] += 0.3
    log.position[600:] -= 0.3
    result = calibrate(pendulum, recipe("body.bob.mass"), [log])
    (mass,) = result.estimates
    assert mass.interval[0] <= 0.65 <= mass.interval[1]


def test_the_same_logs_give_the_same_posterior(pendulum, recipe, record, noisy):
    log = noisy(record({"body.bob.mass": 0.6}, seconds=5.0))
    chosen = recipe("body.bob.mass", "joint.pivot.damping")
    one, two = (calibrate(pendulum, chosen, [log], nthread=n).posterior for n in (1, 2))
    assert (one.mean, one.covariance) == (two.mean, two.covariance)


def test_saved_files_can_be_read_again(calibrated, tmp_path: Path):
    _, result = calibrated
    result.save(tmp_path / "twin")
    assert Posterior.load(tmp_path / "twin" / "posterior.toml") == result.posterior
    report = json.loads((tmp_path / "twin" / "calibration.json").read_text())
    assert report["improves"] is True
    assert report["logs"] == result.posterior.origin["logs"]
    assert {row["name"] for row in report["estimates"]} == set(PLANTED)


def test_a_robot_with_a_floating_base_is_refused_with_what_to_do():
    robot = find_robot("quadruped")
    model = compile_model(robot)
    parameters = ParameterSet(model, tuple(robot.joints), ("body.trunk.mass",))
    with pytest.raises(CalibrationError, match="hang the robot up"):
        Rollouts(robot, model, parameters, nthread=1)
