"""The estimator on systems whose Δr is known, and where it must not answer."""

import numpy as np
import pytest

from sim2real.errors import ConfigError, GapError
from sim2real.gap.calibration import temperature
from sim2real.gap.estimator import EstimatorSettings, GapEstimator
from sim2real.gap.transitions import Transitions

SETTINGS = EstimatorSettings(noise=0.2, surprise=True, members=2, batch=256, learning_rate=1e-3)


@pytest.fixture(scope="module")
def experiment(benchmark):
    """Return experiment A of the benchmarks."""
    return benchmark("linear_gaussian")


def shifted(n, seed, state=0.0, change=0.0):
    rng = np.random.default_rng(seed)
    return Transitions(
        state=state + rng.normal(size=(n, 2)),
        action=rng.normal(size=(n, 1)),
        change=change + 0.1 * rng.normal(size=(n, 2)),
    )


def test_it_follows_the_exact_ratio_of_a_linear_gaussian_system(experiment):
    found = experiment.compare(0, 1000, SETTINGS, 1000)
    assert found["correlation"] >= 0.9
    assert 0.15 <= found["slope"] <= 1.1
    assert found["inside"] > 0.98


def test_identical_domains_leave_nothing(experiment):
    found = experiment.identical(0, 1000, SETTINGS, 600)
    assert found["mean_abs"] < 0.05
    assert found["std"] < 0.2


def test_where_policies_went_is_no_gap():
    """The domains were visited differently, and do the same there."""
    estimator = GapEstimator((2, 1, 2), SETTINGS, seed=0)
    fit = estimator.fit(shifted(4000, 0), shifted(1000, 1, state=1.0), 400)
    assert fit.sa_accuracy > 0.65
    assert np.abs(estimator.delta_r(shifted(1000, 2, state=0.5)).mean()) < 0.1


def curved(n, seed, visited, dead=1.0):
    """Return what a system without noise does, whose change tells where it was."""
    rng = np.random.default_rng(seed)
    state, action = visited + rng.normal(size=(n, 2)), rng.normal(size=(n, 1))
    change = state[:, :1] * state[:, 1:] + dead * action
    return Transitions(state=state, action=action, change=0.1 * change)


def test_what_a_change_tells_of_where_it_was_is_no_gap():
    """Without noise in the domains, and with that of a training in the classifiers."""
    estimator = GapEstimator((2, 1, 1), EstimatorSettings(blur=0.0, surprise=True), seed=0)
    fit = estimator.fit(curved(8000, 0, 0.0), curved(2000, 1, 0.8), 400)
    assert fit.sa_accuracy > 0.7
    assert np.abs(estimator.delta_r(curved(2000, 2, 0.4))).mean() < 0.02


def test_a_dead_action_is_punished_where_it_is_used_wherever_the_domains_were():
    estimator = GapEstimator((2, 1, 1), EstimatorSettings(blur=0.0, surprise=True), seed=0)
    estimator.fit(curved(8000, 0, 0.0), curved(2000, 1, 0.8, dead=0.0), 600)
    check = curved(2000, 2, 0.4)
    value, effort = estimator.delta_r(check), np.square(check.action[:, 0])
    assert np.corrcoef(value, -effort)[0, 1] > 0.6
    assert np.abs(np.corrcoef(value, check.state[:, 0])[0, 1]) < 0.15


@pytest.mark.parametrize(("surprise", "found"), [(True, True), (False, False)])
def test_a_gap_far_below_what_a_state_changes_by_is_found_only_as_a_surprise(surprise, found):
    def steps(n, seed, shift):
        few = shifted(n, seed)
        jump = few.action @ np.ones((1, 2)) + 0.05 * few.change + shift
        return Transitions(state=few.state, action=few.action, change=jump)

    estimator = GapEstimator((2, 1, 2), EstimatorSettings(noise=0.3, surprise=surprise), seed=0)
    estimator.fit(steps(4000, 0, 0.0), steps(1000, 1, 0.02), 400)
    assert (estimator.delta_r(steps(1000, 2, 0.0)).mean() < -0.5) == found


def test_a_shift_of_the_next_state_is_seen_with_its_sign():
    estimator = GapEstimator((2, 1, 2), SETTINGS, seed=0)
    estimator.fit(shifted(4000, 0), shifted(1000, 1, change=0.1), 400)
    assert estimator.delta_r(shifted(1000, 2, change=0.1)).mean() > 0.3
    assert estimator.delta_r(shifted(1000, 2)).mean() < -0.3


def test_outside_the_overlap_it_says_so():
    estimator = GapEstimator((2, 1, 2), SETTINGS, seed=0)
    estimator.fit(shifted(4000, 0), shifted(1000, 1, state=1.0, change=0.1), 50)
    assert estimator.estimate(shifted(500, 2, state=0.5)).inside.mean() > 0.95
    assert estimator.estimate(shifted(500, 2, state=8.0)).inside.mean() < 0.02
    # where the source alone has been
    assert estimator.estimate(shifted(500, 2, state=-2.5)).inside.mean() < 0.3


def test_domains_that_share_no_region_are_refused():
    estimator = GapEstimator((2, 1, 2), SETTINGS, seed=0)
    with pytest.raises(GapError, match="share no region: 0% of the target's"):
        estimator.fit(shifted(1000, 0), shifted(1000, 1, state=20.0), 10)


def test_too_few_transitions_are_refused():
    estimator = GapEstimator((2, 1, 2), SETTINGS, seed=0)
    with pytest.raises(GapError, match="20 transitions of the target"):
        estimator.fit(shifted(1000, 0), shifted(20, 1), 10)


def test_an_unfitted_estimator_gives_no_estimate():
    with pytest.raises(GapError, match="call fit first"):
        GapEstimator((2, 1, 2), SETTINGS, seed=0).estimate(shifted(10, 0))


def test_it_continues_exactly_from_its_state():
    source, target = shifted(500, 0), shifted(300, 1, change=0.1)
    one, other = (GapEstimator((2, 1, 2), SETTINGS, seed=seed) for seed in (0, 1))
    one.fit(source, target, 20)
    other.load_state_dict(one.state_dict())
    for estimator in (one, other):
        estimator.fit(source, target, 20)
    np.testing.assert_array_equal(one.delta_r(source), other.delta_r(source))


@pytest.mark.parametrize(
    "wrong", [{"members": 0}, {"noise": -1.0}, {"blur": -1.0}, {"held_out": 0.9}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        EstimatorSettings(**wrong)


def test_transitions_that_are_not_finite_are_refused_with_the_row():
    good = shifted(10, 0)
    state = good.state.copy()
    state[3, 1] = np.nan
    with pytest.raises(GapError, match="state is not finite in 1 of 10 rows, first in row 3"):
        Transitions(state=state, action=good.action, change=good.change)
    with pytest.raises(GapError, match="the same n"):
        Transitions(state=good.state[:5], action=good.action, change=good.change)


@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_the_temperature_undoes_a_scale_of_the_logits(factor):
    rng = np.random.default_rng(0)
    truth = rng.normal(0.0, 2.0, 20_000)
    label = rng.random(len(truth)) < 1.0 / (1.0 + np.exp(-truth))
    assert temperature(truth / factor, label) == pytest.approx(factor, rel=0.1)


def test_logits_that_leave_no_doubt_keep_their_weight():
    """Their standard error is without bounds, their likelihood is not."""
    label = np.repeat([0.0, 1.0], 500)
    assert temperature(np.where(label > 0.5, 9.0, -9.0), label) > 0.99


def test_logits_that_tell_nothing_have_no_weight():
    rng = np.random.default_rng(0)
    assert temperature(rng.normal(size=4000), rng.integers(2, size=4000)) < 0.1
