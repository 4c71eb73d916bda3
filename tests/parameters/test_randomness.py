import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim2real.parameters import randomness

ENVS = np.arange(1000)


def test_a_value_does_not_depend_on_which_others_are_drawn():
    whole = randomness.uniform(3, "mass", ENVS, 5, size=4)
    part = randomness.uniform(3, "mass", np.array([7, 400]), 5, size=4)
    assert np.array_equal(whole[[7, 400]], part)


def test_a_value_does_not_depend_on_how_many_are_drawn_beside_it():
    assert np.array_equal(
        randomness.uniform(3, "mass", ENVS, size=2),
        randomness.uniform(3, "mass", ENVS, size=9)[:, :2],
    )


def test_drawing_many_terms_at_once_equals_drawing_each_alone():
    together = randomness.uniform_per_term(3, ("mass", "friction"), ENVS, 5)
    for column, term in enumerate(("mass", "friction")):
        alone = randomness.uniform(3, term, ENVS, 5, size=1)[:, 0]
        assert np.array_equal(together[:, column], alone)


@pytest.mark.parametrize("change", [(4, "mass", 5), (3, "friction", 5), (3, "mass", 6)])
def test_seed_term_and_counter_each_change_every_value(change):
    seed, term, episode = change
    one = randomness.uniform(3, "mass", ENVS, 5, size=1)
    other = randomness.uniform(seed, term, ENVS, episode, size=1)
    assert (one != other).all()
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.1


def test_uniforms_are_uniform():
    values = randomness.uniform(0, "mass", np.arange(20000), 1, size=2)
    assert stats.kstest(values[:, 0], "uniform").pvalue > 0.01
    assert abs(np.corrcoef(values.T)[0, 1]) < 0.03


def test_normals_are_normal():
    values = randomness.normal(0, "noise", np.arange(20000), 1, size=3)
    for column in values.T:
        assert stats.kstest(column, "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(values.T) - np.eye(3)).max() < 0.03


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62))
def test_uniforms_lie_strictly_between_0_and_1(seed, counter):
    values = randomness.uniform(seed, "any", np.array([counter]), size=3)
    assert ((values > 0) & (values < 1)).all()
    assert np.isfinite(randomness.normal(seed, "any", np.array([counter]), size=3)).all()
