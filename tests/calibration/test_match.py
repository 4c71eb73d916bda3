"""A distribution that is moved towards the log of a twin with planted parameters."""

import dataclasses

import numpy as np
import pytest

from sim2real.calibration.match import MatchJob, Target, match
from sim2real.errors import CalibrationError, ConfigError
from sim2real.randomization.adaptive.dropo import DROPOSettings

PLANTED = {"body.bob.mass": 0.7, "joint.pivot.damping": 0.06}
JOB = MatchJob(
    recipe="pendulum", worlds=60, rounds=10, nthread=1,
    dropo=DROPOSettings(worlds=8, generations=12, population=4, epsilon=1e-6),
)  # fmt: skip


@pytest.fixture(scope="module")
def log(record):
    return record(PLANTED, seconds=6.0)


@pytest.fixture(scope="module")
def two(recipe):
    return recipe(*PLANTED)


@pytest.mark.parametrize("method", ["simopt", "dropo", "epopt"])
def test_it_moves_to_what_was_planted_and_grows_narrow(method, pendulum, two, log):
    job = dataclasses.replace(JOB, method=method)
    posterior = match(pendulum, two, [log], job)
    target = Target(pendulum, two, [log], nthread=1)
    assert posterior.names == tuple(PLANTED)
    np.testing.assert_allclose(posterior.mean, list(PLANTED.values()), rtol=0.05)
    assert (posterior.std < 0.3 * target.prior.std).all()
    nominal, found = target.error(np.stack([target.box.nominal, np.array(posterior.mean)]))
    assert found < 0.1 * nominal
    assert posterior.origin["robot"] == "pendulum"
    assert posterior.origin["logs"] == ["twin-0"]


def test_a_target_predicts_its_own_log(pendulum, two, log):
    target = Target(pendulum, two, [log], nthread=1)
    planted = np.array([list(PLANTED.values())])
    assert target.error(planted)[0] < 2e-3
    assert target.predict(planted).shape == (1, *target.measured.shape)


def test_the_prior_has_the_moments_of_the_recipes(pendulum, two, log):
    prior = Target(pendulum, two, [log], nthread=1).prior
    nominal = Target(pendulum, two, [log], nthread=1).box.nominal[0]
    assert prior.mean[0] == pytest.approx(nominal)  # scale = [0.5, 1.5]
    assert prior.std[0] == pytest.approx(nominal / np.sqrt(12), rel=1e-3)


def test_epopt_that_cannot_take_the_log_in_says_what_to_do(pendulum, two, log):
    job = dataclasses.replace(JOB, method="epopt", rounds=1, noise=1e-4)
    with pytest.raises(CalibrationError, match="not taken in: give more rounds"):
        match(pendulum, two, [log], job)


def test_the_same_seed_gives_the_same_posterior(pendulum, two, log):
    job = dataclasses.replace(JOB, rounds=2)
    assert match(pendulum, two, [log], job) == match(pendulum, two, [log], job)


def test_nothing_to_match_is_refused(pendulum, two):
    with pytest.raises(CalibrationError, match="no logs"):
        match(pendulum, two, [], JOB)


@pytest.mark.parametrize("wrong", [{"worlds": 0}, {"rounds": 0}, {"noise": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="must be"):
        MatchJob(recipe="pendulum", **wrong)
