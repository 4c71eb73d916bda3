import numpy as np
import pytest

from sim2real.evaluation.sensitivity.search import worst_world


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_worst_point_is_found_through_noise(size):
    rng = np.random.default_rng(0)
    worst = np.linspace(0.15, 0.8, size)

    def score(points, generation):
        noise = 0.02 * rng.standard_normal(len(points))
        return np.square(points - worst).sum(axis=1) + noise

    found = worst_world(score, np.full(size, 0.5), population=32, generations=25, seed=0)
    np.testing.assert_allclose(found, worst, atol=0.12)


def test_the_worst_corner_is_reached():
    found = worst_world(
        lambda points, _: points[:, 0] - points[:, 1], np.full(2, 0.5),
        population=16, generations=25, seed=0)  # fmt: skip
    np.testing.assert_allclose(found, [0.0, 1.0], atol=0.02)


def test_a_search_is_a_function_of_its_seed():
    points = [
        worst_world(lambda p, _: p.sum(axis=1), np.full(3, 0.5), population=8, generations=4,
                    seed=seed)
        for seed in (1, 1, 2)
    ]  # fmt: skip
    np.testing.assert_array_equal(points[0], points[1])
    assert not np.array_equal(points[0], points[2])
