import numpy as np
import pytest

from sim2real.errors import ConfigError
from sim2real.randomization.adaptive.adr import ADR, ADRSettings

SETTINGS = ADRSettings(step=0.1, episodes=10)


def play(adr, draw, solved, rounds, begin=0):
    """Observe rounds of 64 episodes that succeed in the `solved` intervals (p, 2)."""
    low, high = np.array(solved).T
    for episode in range(begin, begin + rounds):
        values = draw(adr.source, 64, episode)
        success = ((values >= low - 1e-9) & (values <= high + 1e-9)).all(axis=1)
        adr.observe(values, success.astype(float), success)
        yield adr.boundaries.copy()


def test_boundaries_grow_exactly_to_the_interval_in_which_the_task_is_solved(box, draw):
    """Beyond it they are pushed back: they end on its edge or one step outside."""
    adr = ADR(box([0.5, 5.0], [0.0, 1.0], [0.0, 10.0]), SETTINGS)
    *_, settled = play(adr, draw, [[0.3, 0.7], [1.0, 10.0]], 150)
    assert settled[1, 1] == 1.0  # the declared bound: nothing to push against
    for boundaries in play(adr, draw, [[0.3, 0.7], [1.0, 10.0]], 100, 150):
        edges = np.array([[0.3, 0.7], [0.1, 1.0]])
        outward = np.abs(boundaries - 0.5) - np.abs(edges - 0.5)
        assert (np.isclose(outward, 0.0) | np.isclose(outward, 0.1)).all()
        assert boundaries[1, 1] == 1.0


def test_an_unsolved_task_keeps_the_nominal_robot(box, draw):
    adr = ADR(box([0.5], [0.0, 1.0]), SETTINGS)
    for boundaries in play(adr, draw, [[2.0, 3.0]], 20):
        np.testing.assert_array_equal(boundaries, [[0.5, 0.5]])


def test_between_the_thresholds_nothing_moves(box, draw):
    adr = ADR(box([0.5], [0.0, 1.0]), ADRSettings(lower=0.1, upper=0.9, start=0.4, episodes=10))
    source = adr.source
    for episode in range(20):
        values = draw(source, 64, episode)
        assert adr.observe(values, values[:, 0], np.arange(64) % 2 == 0) is source


def test_only_episodes_on_a_boundary_decide_about_it(box):
    adr = ADR(box([0.5], [0.0, 1.0]), ADRSettings(start=0.4, episodes=4, step=0.1))
    inside, lower = np.full((50, 1), 0.5), np.full((4, 1), 0.3)
    adr.observe(inside, np.zeros(50), np.zeros(50, bool))
    np.testing.assert_allclose(adr.boundaries, [[0.3, 0.7]])
    adr.observe(lower, np.ones(4), np.ones(4, bool))
    np.testing.assert_allclose(adr.boundaries, [[0.2, 0.7]])


def test_a_boundary_waits_for_its_number_of_episodes(box):
    adr = ADR(box([0.5], [0.0, 1.0]), ADRSettings(start=0.4, episodes=5, step=0.1))
    for _ in range(4):
        adr.observe(np.array([[0.3]]), np.ones(1), np.ones(1, bool))
    np.testing.assert_allclose(adr.boundaries, [[0.3, 0.7]])
    adr.observe(np.array([[0.3]]), np.ones(1), np.ones(1, bool))
    np.testing.assert_allclose(adr.boundaries, [[0.2, 0.7]])


def test_returns_decide_where_they_are_asked_to(box):
    settings = ADRSettings(
        performance="return", lower=10.0, upper=20.0, start=0.4, episodes=2, step=0.1
    )
    adr = ADR(box([0.5], [0.0, 1.0]), settings)
    values = np.array([[0.3], [0.3], [0.7], [0.7]])
    adr.observe(values, np.array([20.0, 21.0, 9.0, 10.0]), np.zeros(4, bool))
    np.testing.assert_allclose(adr.boundaries, [[0.2, 0.7]])  # the upper one starts there


def test_a_nominal_value_at_the_end_of_its_range_has_one_boundary_to_push(box, draw):
    adr = ADR(box([0.0], [0.0, 1.0]), SETTINGS)
    *_, boundaries = play(adr, draw, [[0.0, 0.4]], 60)
    assert boundaries[0, 0] == 0.0
    assert boundaries[0, 1] == pytest.approx(0.4) or boundaries[0, 1] == pytest.approx(0.5)


def test_entropy_is_zero_once_all_ranges_are_the_declared_ones(box, draw):
    adr = ADR(box([0.5], [2.0, 3.0]), ADRSettings(start=0.5))
    assert adr.metrics()["entropy"] == pytest.approx(np.log(0.25))  # nominal 2: at the lower end
    list(play(adr, draw, [[2.0, 3.0]], 60))
    assert adr.metrics()["entropy"] == 0.0


def test_a_saved_adr_continues_exactly(box, draw):
    one, other = (ADR(box([0.5, 0.5], [0.0, 1.0], [0.0, 1.0]), SETTINGS) for _ in range(2))
    solved = [[0.2, 0.8], [0.4, 0.9]]
    list(play(one, draw, solved, 7))
    other.load_state_dict(one.state_dict())
    assert other.source == one.source
    both = zip(play(one, draw, solved, 20, 7), play(other, draw, solved, 20, 7), strict=True)
    for left, right in both:
        np.testing.assert_array_equal(left, right)


def test_thresholds_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match="below"):
        ADRSettings(lower=0.8, upper=0.2)
