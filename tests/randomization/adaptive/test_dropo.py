import numpy as np
import pytest
from scipy import stats

from sim2real.errors import ConfigError
from sim2real.randomization.adaptive.dropo import DROPO, DROPOSettings, log_likelihood

EPSILON = 1e-3


def test_the_likelihood_is_that_of_the_predictions_mean_and_covariance():
    rng = np.random.default_rng(0)
    predicted, measured = rng.standard_normal((30, 4, 2)), rng.standard_normal((4, 2))
    expected = sum(
        stats.multivariate_normal(
            predicted[:, t].mean(axis=0), np.cov(predicted[:, t].T) + EPSILON * np.eye(2)
        ).logpdf(measured[t])
        for t in range(4)
    )
    assert log_likelihood(predicted, measured, EPSILON) == pytest.approx(expected)


def test_it_maximizes_the_closed_form_likelihood_of_a_linear_system(box):
    """Next states p0 and 3 p1 are normal: mean and variance are the sample's own, less epsilon."""
    rng = np.random.default_rng(1)
    measured = rng.normal([0.6, 3 * 4.0], [0.08, 3 * 0.3], (60, 2))

    def predict(worlds):
        return np.broadcast_to((worlds * [1.0, 3.0])[:, None], (len(worlds), 60, 2))

    dropo = DROPO(box([0.5, 3.0], [0.0, 1.0], [1.0, 6.0]), DROPOSettings(epsilon=EPSILON))
    posterior = dropo.fit(predict, measured)
    std = np.sqrt(measured.var(axis=0) - EPSILON)
    np.testing.assert_allclose(posterior.mean, measured.mean(axis=0) / [1, 3], rtol=2e-3)
    np.testing.assert_allclose(posterior.std, std / [1, 3], rtol=0.03)
    assert posterior.origin["method"] == "DROPO"


def test_transitions_that_one_world_explains_leave_little_spread(box):
    gains = np.linspace(0.5, 2.0, 40)
    dropo = DROPO(box([0.5], [0.0, 1.0]), DROPOSettings(epsilon=1e-6))
    posterior = dropo.fit(lambda worlds: (worlds[:, :1] * gains)[..., None], 0.3 * gains[:, None])
    assert posterior.mean[0] == pytest.approx(0.3, abs=1e-3)
    assert posterior.std[0] < 5e-3


def test_the_same_seed_gives_the_same_fit(box):
    gains, measured = np.linspace(0.5, 2.0, 10), np.linspace(0.2, 0.8, 10)[:, None]
    quick = DROPOSettings(generations=3)
    one, other = (
        DROPO(box([0.5], [0.0, 1.0]), quick, seed=4).fit(
            lambda worlds: (worlds[:, :1] * gains)[..., None], measured
        )
        for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"worlds": 2}, {"generations": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="dropo"):
        DROPOSettings(**wrong)
