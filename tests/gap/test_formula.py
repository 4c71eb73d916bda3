"""Δr of densities that are known."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from sim2real.gap.formula import delta_r

LOGITS = arrays(np.float64, (7, 2), elements=st.floats(-50.0, 50.0))


def gaussian_logits():
    """Return the exact logits of two domains, and their log-ratio of s' given (s, a)."""
    rng = np.random.default_rng(0)
    sa, after = rng.normal(size=(2, 1000))
    places = [norm(0.0, 1.0), norm(0.7, 0.8)]  # the domains were visited differently
    dynamics = [norm(0.5 * sa, 0.6), norm(0.2 * sa, 0.9)]
    before = np.stack([place.logpdf(sa) for place in places], axis=1)
    then = np.stack([each.logpdf(after) for each in dynamics], axis=1)
    return before + then, before, then[:, 1] - then[:, 0]


def test_exact_classifiers_give_the_exact_ratio_of_two_gaussians():
    sas, sa, truth = gaussian_logits()
    np.testing.assert_allclose(delta_r(sas, sa), truth, atol=1e-9)


def test_any_array_library_gives_the_same():
    sas, sa, truth = gaussian_logits()
    found = delta_r(torch.from_numpy(sas), torch.from_numpy(sa))
    np.testing.assert_allclose(found.numpy(), truth, atol=1e-9)


def test_softmax_before_it_bounds_what_should_not_be_bounded():
    """The error of widely used ports: probabilities in the place of logits."""
    sas, sa, truth = gaussian_logits()
    wrong = delta_r(torch.from_numpy(sas).softmax(-1), torch.from_numpy(sa).softmax(-1))
    assert wrong.abs().max() <= 2.0 < np.abs(truth).max()


@given(LOGITS, LOGITS, arrays(np.float64, (7, 1), elements=st.floats(-50.0, 50.0)))
def test_what_is_added_to_all_logits_changes_nothing(sas, sa, constant):
    np.testing.assert_allclose(delta_r(sas + constant, sa), delta_r(sas, sa), atol=1e-9)


@given(LOGITS, LOGITS)
def test_exchanging_the_domains_changes_the_sign(sas, sa):
    np.testing.assert_array_equal(delta_r(sas[:, ::-1], sa[:, ::-1]), -delta_r(sas, sa))
