import numpy as np
import pytest

from sim2real.errors import ConfigError, ParameterError
from sim2real.parameters import randomness
from sim2real.randomization.adaptive import gaussian
from sim2real.randomization.adaptive.simopt import SimOpt, SimOptSettings, discrepancy, reps

TRUE = np.array([0.7, 5.5])


def trajectories(values):
    """Return those of x' = x + 0.1 (p0 u - p1 x) under two inputs: (m, 2, 30, 1)."""
    inputs = np.stack([np.ones(30), np.sin(np.arange(30))])
    x = np.zeros((len(values), 2))
    rows = []
    for u in inputs.T:
        x = x + 0.1 * (values[:, :1] * u - values[:, 1:] * x)
        rows.append(x)
    return np.stack(rows, axis=2)[..., None]


@pytest.fixture
def simopt(box):
    prior = gaussian.around_nominal(box([1.0, 4.0], [0.0, 2.0], [1.0, 9.0]))
    return SimOpt(prior, SimOptSettings(kl=1.0))


def step(simopt, i, n=200):
    z = randomness.normal(i, "worlds", np.arange(n), size=2)
    values = simopt.source.posterior.draw(z)
    measured = trajectories(TRUE[None])[0]
    cost = discrepancy(trajectories(values), measured, 0.1, SimOptSettings())
    return simopt.observe(values, -cost, np.zeros(n, bool)).posterior


def test_it_finds_the_targets_parameters_and_grows_sure_of_them(simopt):
    before = simopt.source.posterior
    for i in range(15):
        after = step(simopt, i)
    np.testing.assert_allclose(after.mean, TRUE, rtol=0.02)
    assert (after.std < 0.05 * before.std).all()


def test_no_step_moves_further_than_it_may(simopt):
    before = simopt.source.posterior
    for i in range(8):
        after = step(simopt, i)
        moved = gaussian.divergence(
            np.array(after.mean), np.array(after.covariance),
            np.array(before.mean), np.array(before.covariance),
        )  # fmt: skip
        assert moved <= 1.0 + 1e-6
        before = after


def test_a_step_under_a_linear_return_is_the_tilted_gaussian():
    """exp(g·x / η) N(x; 0, Σ) is N(Σ g / η, Σ): it lies g·Σ g / 2η² away."""
    covariance, slope = np.array([[1.0, 0.3], [0.3, 0.5]]), np.array([1.0, -2.0])
    z = randomness.normal(0, "z", np.arange(100_000), size=2)
    values = z @ np.linalg.cholesky(covariance).T
    mean, after = reps(np.zeros(2), covariance, values, values @ slope, 0.05)
    direction = covariance @ slope
    expected = direction * np.sqrt(2 * 0.05 / (slope @ direction))
    np.testing.assert_allclose(mean, expected, atol=0.01)
    np.testing.assert_allclose(after, covariance, atol=0.02)


def test_worlds_that_do_equally_well_change_nothing():
    values = np.arange(10.0)[:, None]
    mean, covariance = reps(np.zeros(1), np.eye(1), values, np.ones(10), 1.0)
    assert mean == 0.0
    assert covariance == 1.0


def test_too_few_worlds_are_refused():
    values = randomness.normal(0, "z", np.arange(3), size=3)
    with pytest.raises(ParameterError, match="too few"):
        reps(np.zeros(3), np.eye(3), values, values[:, 0], 0.1)


def test_the_discrepancy_weighs_absolute_and_squared_differences():
    predicted = np.zeros((2, 1, 2, 1))
    predicted[1] = [[[1.0], [-3.0]]]
    settings = SimOptSettings(l1=0.5, l2=2.0)
    measured = np.zeros((1, 2, 1))
    np.testing.assert_allclose(discrepancy(predicted, measured, 2.0, settings), [0.0, 1.0 + 5.0])


def test_smoothing_forgives_a_shift_in_time():
    time = np.arange(200.0)
    early, late = np.sin(2 * time)[:, None], np.sin(2 * (time - 0.5))[:, None]
    costs = [
        discrepancy(early[None], late, 1.0, SimOptSettings(smooth=smooth))[0] for smooth in (0, 5)
    ]
    assert costs[1] < 0.05 * costs[0]


def test_a_saved_simopt_continues_exactly(simopt, box):
    step(simopt, 0)
    other = SimOpt(gaussian.around_nominal(box([1.0, 4.0], [0.0, 2.0], [1.0, 9.0])),
                   SimOptSettings(kl=1.0))  # fmt: skip
    other.load_state_dict(simopt.state_dict())
    assert step(simopt, 1) == step(other, 1)


@pytest.mark.parametrize(
    "wrong", [{"kl": 0.0}, {"kl": float("inf")}, {"l1": 0.0, "l2": 0.0}, {"smooth": -1.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="simopt"):
        SimOptSettings(**wrong)
