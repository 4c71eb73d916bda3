"""Indices against closed forms."""

import numpy as np
import pytest

from sim2real.evaluation.sensitivity import indices
from sim2real.evaluation.sensitivity.indices import design, sobol_indices, wilson


def ishigami(u):
    """Return Ishigami's function (a = 7, b = 0.1) on the unit cube."""
    x = np.pi * (2 * u - 1)
    return np.sin(x[..., 0]) + 7 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


def test_ishigamis_indices():
    """Ishigami & Homma 1990: S = 0.3139, 0.4424, 0; ST = 0.5576, 0.4424, 0.2437."""
    a, b, ab = design(4096, 3, seed=0)
    found = sobol_indices(ishigami(a), ishigami(b), ishigami(ab))
    np.testing.assert_allclose(found.first, [0.3139, 0.4424, 0.0], atol=0.02)
    np.testing.assert_allclose(found.total, [0.5576, 0.4424, 0.2437], atol=0.02)


def test_intervals_hold_the_truth_and_shrink_with_more_rows():
    widths = []
    for n in (128, 2048):
        a, b, ab = design(n, 3, seed=3)
        found = sobol_indices(ishigami(a), ishigami(b), ishigami(ab))
        for truth, (low, high) in zip((0.5576, 0.4424, 0.2437), found.total_interval, strict=True):
            assert low <= truth <= high
        widths.append(np.ptp(found.total_interval, axis=1).mean())
    assert widths[1] < 0.5 * widths[0]


def test_luck_that_rows_share_is_attributed_to_no_parameter():
    """y = x₀ + luck, half of the variance each; x₁ does nothing."""
    rng = np.random.default_rng(0)
    a, b, ab = design(2048, 2, seed=1)
    luck, other = rng.uniform(size=(2, 2048))
    found = sobol_indices(a[:, 0] + luck, b[:, 0] + other, ab[:, :, 0] + luck)
    np.testing.assert_allclose(found.first, [0.5, 0.0], atol=0.05)
    np.testing.assert_allclose(found.total, [0.5, 0.0], atol=0.05)


def test_an_outcome_that_never_changes_has_no_indices():
    a, b, ab = design(16, 2, seed=0)
    found = sobol_indices(np.ones(16), np.ones(16), np.ones((2, 16)))
    assert not found.first.any()
    assert not found.total.any()
    assert a.shape == b.shape == ab.shape[1:]


def test_cells_explain_an_interaction_that_neither_parameter_explains_alone():
    rng = np.random.default_rng(0)
    x, y, z = rng.uniform(-1, 1, (3, 5000))
    outcome = np.sign(x * y)
    assert indices.explained_by_cells(x, y, outcome, 6) > 0.9
    assert indices.explained_by_cells(x, z, outcome, 6) == pytest.approx(0.0, abs=0.02)


def test_bins_are_equally_filled():
    values = np.random.default_rng(0).lognormal(size=1000)
    counts = np.bincount(indices.bin_of(values, 8))
    assert counts.min() >= 124


def test_wilsons_interval():
    """Newcombe 1998, table I: 15 of 148 gives 0.0624 to 0.1605; 0 of 20 gives 0 to 0.1611."""
    low, high = wilson(np.array([15.0, 0.0]), np.array([148.0, 20.0]))
    np.testing.assert_allclose(low, [0.0624, 0.0], atol=2e-4)
    np.testing.assert_allclose(high, [0.1605, 0.1611], atol=2e-4)
