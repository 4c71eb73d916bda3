import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim2real.errors import ParameterError
from sim2real.parameters.distributions import (
    Beta,
    Categorical,
    LogUniform,
    Mixture,
    Normal,
    TruncatedNormal,
    Uniform,
    distribution,
    to_toml,
)

U = (np.arange(999) + 1) / 1000


@pytest.mark.parametrize(
    ("ours", "truth"),
    [
        (Uniform(2.0, 5.0), stats.uniform(2.0, 3.0)),
        (LogUniform(0.1, 10.0), stats.loguniform(0.1, 10.0)),
        (Normal(1.0, 0.3), stats.norm(1.0, 0.3)),
        (TruncatedNormal(1.0, 0.3, 0.9, 2.0), stats.truncnorm(-1 / 3, 10 / 3, 1.0, 0.3)),
        (TruncatedNormal(0.0, 1.0, 8.0, 9.0), stats.truncnorm(8, 9)),
        (TruncatedNormal(0.0, 1.0, -9.0, -8.0), stats.truncnorm(-9, -8)),
    ],
)
def test_quantiles_equal_those_of_scipy(ours, truth):
    np.testing.assert_allclose(ours.quantile(U), truth.ppf(U), rtol=1e-6)


@given(st.floats(-10, 10), st.floats(0.01, 10), st.floats(-20, 20), st.floats(0.01, 10))
def test_a_truncated_normal_stays_between_its_bounds(mean, std, low, width):
    values = TruncatedNormal(mean, std, low, low + width).quantile(U)
    assert ((values >= low) & (values <= low + width)).all()


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (2.0, 5.0), (0.5, 0.5)])
def test_a_beta_has_its_mean_and_variance(alpha, beta):
    values = Beta(alpha, beta, 2.0, 4.0).quantile((np.arange(20_000) + 0.5) / 20_000)
    total = alpha + beta
    assert values.mean() == pytest.approx(2.0 + 2.0 * alpha / total, abs=1e-3)
    assert values.var() == pytest.approx(4 * alpha * beta / total**2 / (total + 1), abs=1e-3)


def test_a_categorical_draws_each_value_as_often_as_its_weight_says():
    values = Categorical((3.0, 1.0, 2.0), (1.0, 5.0, 4.0)).quantile((np.arange(1000) + 0.5) / 1000)
    assert dict(zip(*np.unique(values, return_counts=True), strict=True)) == {
        1: 500,
        2: 400,
        3: 100,
    }
    assert (np.diff(values) >= 0).all()


def test_a_mixture_has_the_distribution_function_of_its_parts():
    ours = Mixture((Normal(0.0, 1.0), Uniform(-1.0, 3.0)), (1.0, 3.0))
    values = ours.quantile((np.arange(40_000) + 0.5) / 40_000)

    def truth(x):
        return 0.25 * stats.norm.cdf(x) + 0.75 * stats.uniform.cdf(x, -1.0, 4.0)

    assert stats.kstest(values, truth).statistic < 1e-3


def test_a_part_of_weight_0_is_never_drawn_and_supports_nothing():
    ours = Mixture((Uniform(0.0, 1.0), Uniform(5.0, 6.0)), (1.0, 0.0))
    assert ours.quantile(np.array([1 - 2.0**-53])).max() <= 1.0
    assert ours.support == (0.0, 1.0)
    assert Categorical((1.0, 9.0), (1.0, 0.0)).support == (1.0, 1.0)


def test_equal_weights_are_what_a_plain_list_means():
    assert distribution({"categorical": [1, 2]}) == Categorical((1.0, 2.0), (1.0, 1.0))


@pytest.mark.parametrize(
    "data",
    [[0.5, 1.5], {"log_uniform": [0.1, 1.0]}, {"normal": [0.0, 1.0]},
     {"truncated_normal": [0.0, 1.0, -1.0, 1.0]}, {"beta": [2.0, 3.0, 0.5, 1.5]},
     {"categorical": {"values": [2.0, 1.0], "weights": [3.0, 1.0]}},
     {"mixture": {"of": [[0.0, 1.0], {"normal": [0.0, 1.0]}], "weights": [1.0, 4.0]}}],
)  # fmt: skip
def test_toml_round_trips(data):
    assert to_toml(distribution(data)) == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([2.0, 1.0], "inverted"),
        ([1.0], "takes [low, high]"),
        ([0.0, float("nan")], "finite"),
        ({"log_uniform": [0.0, 1.0]}, "above 0"),
        ({"normal": [0.0, -1.0]}, "negative"),
        ({"unifrom": [0.0, 1.0]}, "did you mean 'uniform'"),
        ("wide", "is not a distribution"),
        ([True, 1.0], "takes [low, high]"),
        ({"categorical": []}, "it takes { values = [...], weights = [...] }"),
        ({"categorical": {"value": [1.0]}}, "did you mean 'values'"),
        ({"categorical": {"values": [1.0, 2.0], "weights": [1.0]}}, "as many weights"),
        ({"categorical": {"values": [1.0, 2.0], "weights": [1.0, -1.0]}}, "not be negative"),
        ({"mixture": {"of": [[1.0, 0.0]]}}, "inverted"),
        ({"mixture": [[0.0, 1.0], {"unifrom": [0.0, 1.0]}]}, "did you mean 'uniform'"),
    ],
)
def test_an_impossible_distribution_is_refused(data, says):
    with pytest.raises(ParameterError) as caught:
        distribution(data, "body.x.mass")
    assert says in str(caught.value)
    assert "body.x.mass" in str(caught.value)
