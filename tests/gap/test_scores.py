"""The area under the curve, and how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.gap.scores import auc, auc_interval

SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=20)


@given(SCORES, SCORES)
def test_it_is_the_share_of_pairs_in_order(source, target):
    pairs = [(t > s) + 0.5 * (t == s) for s in source for t in target]
    assert auc(np.array(source), np.array(target)) == pytest.approx(np.mean(pairs))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        source, target = rng.normal(size=(2, 200))
        low, high = auc_interval(source, target + 1.0, np.arange(200) // 10, rng, 200)
        held += low <= 0.7602 <= high  # Φ(1 / √2)
    assert held >= 52


def test_rows_that_are_alike_do_not_make_it_surer():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 40))
    often = np.repeat([source, target + 0.5], 10, axis=1)
    once = auc_interval(source, target + 0.5, np.arange(40), rng)
    again = auc_interval(*often, np.repeat(np.arange(40), 10), rng)
    assert np.ptp(again) == pytest.approx(np.ptp(once), rel=0.15)
