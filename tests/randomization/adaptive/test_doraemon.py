import numpy as np
import pytest
from scipy import special, stats

from sim2real.errors import ConfigError
from sim2real.randomization.adaptive import beta
from sim2real.randomization.adaptive.doraemon import DORAEMON, DORAEMONSettings, next_shapes

A, B = np.array([1.7, 4.0]), np.array([2.2, 1.3])
A0, B0 = np.array([2.5, 3.0]), np.array([1.1, 6.0])


def stratified(shapes, n=2000):
    """Return worlds (n, 1) at evenly spread quantiles: a sample without noise."""
    u = (np.arange(n) + 0.5) / n
    return stats.beta.ppf(u, *shapes[:, 0])[:, None]


def test_entropy_is_scipys():
    assert beta.entropy(A, B)[0] == pytest.approx(stats.beta.entropy(A, B).sum())
    assert beta.entropy(np.ones(3), np.ones(3))[0] == 0.0


def test_density_is_scipys():
    x = np.array([[0.1, 0.5], [0.9, 0.2]])
    expected = stats.beta.logpdf(x, A, B).sum(axis=1)
    np.testing.assert_allclose(beta.log_density(x, A, B)[0], expected)


def test_divergence_is_the_integral_that_defines_it():
    x = (np.arange(200_000) + 0.5) / 200_000
    expected = 0.0
    for a, b, a0, b0 in zip(A, B, A0, B0, strict=True):
        ratio = stats.beta.logpdf(x, a, b) - stats.beta.logpdf(x, a0, b0)
        expected += np.mean(stats.beta.pdf(x, a, b) * ratio)
    assert beta.divergence(A, B, A0, B0)[0] == pytest.approx(expected, rel=1e-4)
    assert beta.divergence(A, B, A, B)[0] == 0.0


@pytest.mark.parametrize(
    "measure",
    [
        lambda v: beta.entropy(*np.split(v, 2)),
        lambda v: beta.divergence(*np.split(v, 2), A0, B0),
        lambda v: tuple(
            part[0] for part in beta.log_density(np.array([[0.3, 0.8]]), *np.split(v, 2))
        ),
    ],
    ids=["entropy", "divergence", "log_density"],
)
def test_gradients_are_those_of_finite_differences(measure):
    at = np.concatenate([A, B])
    steps = 1e-6 * np.eye(4)
    expected = [(measure(at + d)[0] - measure(at - d)[0]) / 2e-6 for d in steps]
    np.testing.assert_allclose(measure(at)[1], expected, rtol=1e-5, atol=1e-7)


def best_on_a_grid(center, radius, alpha):
    """Return the largest entropy of any beta distribution whose success rate is `alpha`."""
    a, b = np.meshgrid(np.geomspace(1, 100, 300), np.geomspace(1, 100, 300))
    rate = special.betainc(a, b, center + radius) - special.betainc(a, b, center - radius)
    score = (a - 1) * special.psi(a) + (b - 1) * special.psi(b) - (a + b - 2) * special.psi(a + b)
    return (special.betaln(a, b) - score)[rate >= alpha].max()


@pytest.mark.parametrize(("center", "radius", "alpha"), [(0.5, 0.2, 0.7), (0.3, 0.15, 0.5)])
def test_it_reaches_the_widest_distribution_that_succeeds_often_enough(center, radius, alpha):
    shapes = np.array([[9.0], [11.0]])
    for _ in range(40):
        x = stratified(shapes)
        success = np.abs(x[:, 0] - center) < radius
        shapes = next_shapes(shapes, x, success, alpha=alpha, kl=0.1)
    law = stats.beta(*shapes[:, 0])
    assert law.cdf(center + radius) - law.cdf(center - radius) >= alpha - 2e-3
    assert law.entropy() == pytest.approx(best_on_a_grid(center, radius, alpha), abs=5e-3)


def test_a_task_solved_everywhere_ends_with_the_uniform_distribution():
    shapes = np.array([[30.0], [10.0]])
    for _ in range(40):
        x = stratified(shapes, 500)
        shapes = next_shapes(shapes, x, np.ones(500, bool), alpha=0.9, kl=0.1)
    np.testing.assert_allclose(shapes, 1.0, atol=0.02)


def test_no_update_moves_further_than_the_trust_region():
    shapes = np.array([[20.0, 3.0], [5.0, 3.0]])
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = np.clip(stats.beta.rvs(*shapes, size=(400, 2), random_state=rng), 1e-9, 1 - 1e-9)
        success = (x[:, 0] + x[:, 1]) < 1.2
        new = next_shapes(shapes, x, success, alpha=0.6, kl=0.05)
        assert beta.divergence(*new, *shapes)[0] <= 0.05 + 1e-5
        shapes = new


def test_where_the_policy_fails_too_often_the_distribution_goes_to_where_it_succeeds():
    shapes = np.array([[2.0], [2.0]])
    x = stratified(shapes)
    success = x[:, 0] > 0.7
    new = next_shapes(shapes, x, success, alpha=0.9, kl=0.1)
    before, after = (stats.beta.sf(0.7, *each[:, 0]) for each in (shapes, new))
    assert after > before + 0.1
    assert beta.divergence(*new, *shapes)[0] == pytest.approx(0.1, abs=1e-3)


def test_it_begins_around_the_nominal_values_and_ends_in_the_declared_ranges(box):
    doraemon = DORAEMON(box([2.0, 0.0], [1.0, 5.0], [0.0, 1.0]), DORAEMONSettings(start=50.0))
    law = doraemon.source.ranges["body.link0.mass"].distribution
    mode = law.low + (law.high - law.low) * (law.alpha - 1) / (law.alpha + law.beta - 2)
    assert mode == pytest.approx(2.0)
    assert law.support == (1.0, 5.0)
    assert doraemon.source.ranges["body.link1.mass"].distribution.alpha == 1.0


def test_it_waits_for_enough_episodes_and_starts_a_new_count_then(box):
    doraemon = DORAEMON(box([0.5], [0.0, 1.0]), DORAEMONSettings(episodes=100))
    x = stratified(doraemon.shapes, 60)
    first = doraemon.source
    assert doraemon.observe(x, np.ones(60), np.ones(60, bool)) is first
    second = doraemon.observe(x, np.ones(60), np.ones(60, bool))
    assert second != first
    assert doraemon.metrics()["success_rate"] == 1.0
    assert doraemon.observe(x, np.ones(60), np.ones(60, bool)) is second


def test_a_threshold_of_the_return_can_say_what_succeeds(box):
    settings = DORAEMONSettings(episodes=10, return_threshold=5.0)
    doraemon = DORAEMON(box([0.5], [0.0, 1.0]), settings)
    returns = np.array([4.9] * 7 + [5.0] * 3)
    doraemon.observe(stratified(doraemon.shapes, 10), returns, np.ones(10, bool))
    assert doraemon.metrics()["success_rate"] == pytest.approx(0.3)


def test_a_saved_doraemon_continues_exactly(box):
    one, other = (
        DORAEMON(box([0.5], [0.0, 1.0]), DORAEMONSettings(episodes=100)) for _ in range(2)
    )
    x = stratified(one.shapes, 60)
    for _ in range(3):
        one.observe(x, np.ones(60), x[:, 0] > 0.4)
    other.load_state_dict(one.state_dict())
    assert other.source == one.source
    assert one.observe(x, np.ones(60), x[:, 0] > 0.4) == other.observe(
        x, np.ones(60), x[:, 0] > 0.4
    )


@pytest.mark.parametrize(
    "wrong", [{"success_rate": 1.0}, {"kl": 0.0}, {"kl": float("inf")}, {"start": 1.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="doraemon"):
        DORAEMONSettings(**wrong)
