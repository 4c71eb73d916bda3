import numpy as np
import pytest

from sim2real.evaluation.coverage.emulator import Emulator


@pytest.fixture
def quadratic():
    """Worlds that are a polynomial of degree two in two parameters, and that polynomial."""
    rng = np.random.default_rng(0)
    values = rng.uniform([1.0, -2.0], [3.0, 2.0], (60, 2))
    a, b, c = rng.normal(size=(3, 20))

    def samples(v):
        return v[..., :1] * a + v[..., :1] * v[..., 1:] * b + v[..., 1:] ** 2 * c

    return values, samples


def test_a_quadratic_is_reproduced(quadratic):
    values, samples = quadratic
    emulator = Emulator(values, samples(values), np.full(20, 0.01))
    truth = np.array([2.2, -1.3])
    found = emulator.fit(samples(truth), np.array([1.0, -2.0]), np.array([3.0, 2.0]))
    np.testing.assert_allclose(found, truth, rtol=1e-4)
    assert np.abs(emulator.residual(samples(truth), truth)).max() < 1e-6


def test_a_fit_stays_within_its_bounds_and_says_what_is_left(quadratic):
    values, samples = quadratic
    emulator = Emulator(values, samples(values), np.full(20, 0.01))
    low, high = np.array([1.0, -2.0]), np.array([3.0, 2.0])
    outside = samples(np.array([4.5, 0.0]))
    found = emulator.fit(outside, low, high)
    assert (found >= low).all()
    assert (found <= high).all()
    assert np.abs(emulator.residual(outside, found)).mean() > 3.0


def test_with_few_worlds_it_is_a_plane():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 10))
    slope = rng.normal(size=(10, 5))
    emulator = Emulator(values, values @ slope, np.ones(5))
    assert emulator.coefficients.shape == (11, 5)
    np.testing.assert_allclose(emulator.sigma, 1.0)
