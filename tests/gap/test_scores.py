"""The area under the curve, and how sure it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.gap.scores import auc, auc_interval, refit_margin

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


def test_parts_that_disagree_make_it_less_sure():
    """Nadeau and Bengio's t interval, on AUCs that are known."""
    fold = np.repeat(np.arange(5), 2)
    source = np.tile([0.0, 1.0], 5)
    target = source.copy()
    assert refit_margin(source, target, fold) == 0.0  # every part says 0.5
    target[fold == 0] = 2.0  # and now one says 1
    spread = np.std([1.0, 0.5, 0.5, 0.5, 0.5], ddof=1)
    wanted = 2.776445 * spread * np.sqrt(1 / 5 + 1 / 4)
    assert refit_margin(source, target, fold) == pytest.approx(wanted, rel=1e-6)
