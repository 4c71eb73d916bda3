"""Where fits begin."""

import numpy as np
import pytest

from sim2real.calibration.search import Search, starting_points
from sim2real.errors import ConfigError

BOUNDS = (np.full(3, -3.0), np.full(3, 3.0))
NOWHERE = np.zeros((1, 3))


def valleys(points):
    """A wide valley at -1 and a deep, narrow one at 2 (m,)."""
    wide = ((points + 1.0) ** 2).sum(axis=1)
    narrow = 20.0 * ((points - 2.0) ** 2).sum(axis=1) - 3.0
    return np.minimum(wide, narrow)


def test_starting_points_are_the_best_of_many_best_first():
    points = starting_points(valleys, NOWHERE, BOUNDS, Search(starts=4), 0)
    assert points.shape == (4, 3)
    assert (np.diff(valleys(points)) >= 0).all()
    assert valleys(points)[0] < valleys(NOWHERE)[0]


def test_a_hint_that_is_best_comes_first():
    hints = np.vstack([NOWHERE, np.full(3, 2.0)])
    np.testing.assert_array_equal(
        starting_points(valleys, hints, BOUNDS, Search(), 0), np.full((1, 3), 2.0)
    )


def test_points_stay_within_bounds():
    tight = np.full(3, -0.2), np.full(3, 0.1)
    points = starting_points(valleys, NOWHERE + 5.0, tight, Search(starts=5), 0)
    assert ((points >= -0.2) & (points <= 0.1)).all()


def test_the_same_seed_gives_the_same_points():
    first, second, other = (
        starting_points(valleys, NOWHERE, BOUNDS, Search(starts=3), seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_an_evolution_ends_in_a_valley():
    pytest.importorskip("cma")
    best = starting_points(valleys, NOWHERE, BOUNDS, Search(generations=60), 0)
    assert best.shape == (2, 3)  # what it found, and the best of the draws
    assert min(np.abs(best[0] + 1.0).max(), np.abs(best[0] - 2.0).max()) < 0.02
    assert valleys(best)[0] <= valleys(best)[1]


def test_an_evolution_of_one_number_is_left_to_the_draws():
    bounds = np.full(1, -3.0), np.full(1, 3.0)
    found = starting_points(valleys, np.zeros((1, 1)), bounds, Search(generations=5), 0)
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("wrong", [{"starts": 0}, {"generations": -1}])
def test_no_search_is_refused(wrong):
    with pytest.raises(ConfigError, match="must be at least"):
        Search(**wrong)
