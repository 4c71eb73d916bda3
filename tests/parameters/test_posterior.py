import numpy as np
import pytest

from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior

NAMES = ("body.bob.mass", "joint.pivot.damping")


def posterior(**changes):
    values = {
        "names": NAMES,
        "mean": (0.5, 0.02),
        "covariance": ((0.01, 0.0005), (0.0005, 0.0001)),
        "lower": (0.1, 0.0),
        "upper": (2.0, 1.0),
        "origin": {"robot": "pendulum"},
    }
    return Posterior(**(values | changes))


def test_draws_have_the_posteriors_mean_and_covariance():
    given = posterior(lower=(-9.0, -9.0), upper=(9.0, 9.0))
    draws = given.draw(randomness.normal(0, "posterior", np.arange(50000), size=2))
    np.testing.assert_allclose(draws.mean(axis=0), given.mean, atol=2e-3)
    np.testing.assert_allclose(np.cov(draws.T), given.covariance, rtol=0.05)


def test_draws_stay_within_the_bounds():
    draws = posterior().draw(randomness.normal(0, "posterior", np.arange(5000), size=2))
    assert (draws >= (0.1, 0.0)).all()
    assert (draws <= (2.0, 1.0)).all()


def test_the_interval_of_a_normal_is_196_deviations():
    (low, high), _ = posterior().interval(0.95)
    np.testing.assert_allclose((low, high), (0.5 - 0.196, 0.5 + 0.196), atol=1e-3)


def test_a_saved_posterior_loads_as_it_was(tmp_path):
    posterior().save(tmp_path / "posterior.toml")
    assert Posterior.load(tmp_path / "posterior.toml") == posterior()


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": (0.5,)},
        {"covariance": ((1.0, 2.0), (2.0, 1.0))},
        {"lower": (3.0, 0.0)},
        {"names": ("mass", "joint.pivot.damping")},
    ],
)
def test_an_impossible_posterior_is_refused(changes):
    with pytest.raises(ParameterError):
        posterior(**changes)
