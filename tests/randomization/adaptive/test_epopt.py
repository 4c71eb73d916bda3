import numpy as np
import pytest

from sim2real.errors import ConfigError, ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive import gaussian
from sim2real.randomization.adaptive.epopt import EPOpt, EPOptSettings, log_likelihood, worst

PRIOR = Posterior(
    names=("body.bob.mass", "joint.pivot.damping"),
    mean=(1.0, 2.0),
    covariance=((0.09, 0.03), (0.03, 0.16)),
    lower=(-10.0, -10.0),
    upper=(10.0, 10.0),
    origin={"robot": "pendulum"},
)
H = np.array([[1.0, 0.5], [0.3, -1.0], [0.8, 0.2]])
MEASURED = np.array([1.9, -1.8, 1.2])
NOISE = 0.3


def worlds(posterior, n):
    return posterior.draw(randomness.normal(3, "worlds", np.arange(n), size=2))


def test_the_update_is_the_exact_posterior_of_a_conjugate_problem():
    """Measured = H p + noise, all normal: the posterior is known in closed form."""
    values = worlds(PRIOR, 100_000)
    source = EPOpt(PRIOR).observe(
        values, log_likelihood(values @ H.T, MEASURED, NOISE), np.ones(len(values), bool)
    )
    prior = np.array(PRIOR.covariance)
    exact = np.linalg.inv(np.linalg.inv(prior) + H.T @ H / NOISE**2)
    mean = exact @ (np.linalg.solve(prior, PRIOR.mean) + H.T @ MEASURED / NOISE**2)
    assert source.posterior is not None
    np.testing.assert_allclose(source.posterior.mean, mean, atol=0.005)
    np.testing.assert_allclose(source.posterior.covariance, exact, atol=0.001)


def test_two_logs_one_after_the_other_tell_what_both_tell_together():
    epopt = EPOpt(PRIOR)
    for rows in ([0, 1], [2]):
        values = worlds(epopt.source.posterior, 100_000)
        likelihood = log_likelihood(values @ H[rows].T, MEASURED[rows], NOISE)
        epopt.observe(values, likelihood, np.ones(len(values), bool))
    values = worlds(PRIOR, 100_000)
    both = EPOpt(PRIOR).observe(
        values, log_likelihood(values @ H.T, MEASURED, NOISE), np.ones(len(values), bool)
    )
    np.testing.assert_allclose(epopt.source.posterior.mean, both.posterior.mean, atol=0.01)


def test_weights_are_likelihoods():
    epopt = EPOpt(PRIOR)
    values = np.array([[1.0, 2.0], [2.0, 2.0], [1.0, 4.0], [0.0, 0.0]])
    weights = np.array([4.0, 3.0, 2.0, 1.0])
    source = epopt.observe(values, np.log(weights) - 1000.0, np.zeros(4, bool))
    np.testing.assert_allclose(source.posterior.mean, weights @ values / 10)
    assert epopt.metrics()["effective_worlds"] == pytest.approx(100 / 30)


def test_data_that_single_out_one_world_are_refused():
    values = worlds(PRIOR, 50)
    with pytest.raises(ParameterError, match="draw more worlds"):
        EPOpt(PRIOR).observe(values, -1e6 * values[:, 0] ** 2, np.ones(50, bool))


def test_the_likelihood_is_normal():
    predicted = np.array([[[0.0, 0.0]], [[1.0, 2.0]]])
    np.testing.assert_allclose(
        log_likelihood(predicted, np.zeros((1, 2)), np.array([1.0, 2.0])), [0.0, -1.0]
    )


def test_the_worst_are_those_at_or_below_the_percentile():
    returns = np.array([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 10.0, 11.0])
    np.testing.assert_array_equal(np.sort(returns[worst(returns, 0.2)]), [1.0, 2.0, 3.0])
    assert worst(returns, 1.0).all()
    assert worst(np.zeros(4), 0.1).all()  # none is worse than another


def test_a_saved_epopt_continues_exactly():
    one, other = EPOpt(PRIOR), EPOpt(PRIOR)
    values = worlds(PRIOR, 500)
    one.observe(values, -(values[:, 0] ** 2), np.ones(500, bool))
    other.load_state_dict(one.state_dict())
    assert other.source == one.source
    assert other.metrics() == one.metrics()


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"epsilon": 1.5}, {"burn_in": -1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="epopt"):
        EPOptSettings(**wrong)


def test_the_divergence_of_gaussians_is_the_mean_log_ratio():
    from scipy.stats import multivariate_normal

    covariance = np.array(PRIOR.covariance)
    here, there = ([0.8, 2.3], 0.5 * covariance), (list(PRIOR.mean), covariance)
    x = np.random.default_rng(0).multivariate_normal(*here, size=200_000)
    ratio = multivariate_normal(*here).logpdf(x) - multivariate_normal(*there).logpdf(x)
    exact = gaussian.divergence(np.array(here[0]), here[1], np.array(there[0]), there[1])
    assert exact == pytest.approx(ratio.mean(), abs=0.01)
    assert gaussian.divergence(np.zeros(2), np.zeros((2, 2)), np.zeros(2), np.eye(2)) == np.inf
