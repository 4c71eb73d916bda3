import numpy as np
import pytest
from scipy import stats

from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.correlation import Correlation, correlated

ABC = ("joint.a.damping", "joint.b.damping", "joint.c.damping")
MATRIX = ((1.0, 0.8, 0.0), (0.8, 1.0, -0.3), (0.0, -0.3, 1.0))


def draws(group, n=20_000):
    u = randomness.uniform(0, "u", np.arange(n), size=len(group.parameters))
    return correlated(u, group.root())


def test_normal_scores_have_the_correlation_and_uniforms_stay_uniform():
    u = draws(Correlation(parameters=ABC, matrix=MATRIX))
    np.testing.assert_allclose(np.corrcoef(stats.norm.ppf(u).T), MATRIX, atol=0.02)
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 0.01


def test_a_rank_correlation_is_that_of_the_gaussian_copula():
    u = draws(Correlation(parameters=ABC[:2], coefficient=0.8))
    expected = 6 / np.pi * np.arcsin(0.4)  # Kruskal 1958
    assert stats.spearmanr(*u.T).statistic == pytest.approx(expected, abs=0.01)


def test_a_coefficient_of_1_gives_one_number_and_of_minus_1_its_mirror():
    one = draws(Correlation(parameters=ABC, coefficient=1.0), 100)
    np.testing.assert_allclose(one[:, 0], one[:, 2], atol=1e-9)
    mirror = draws(Correlation(parameters=ABC[:2], coefficient=-1.0), 100)
    np.testing.assert_allclose(mirror[:, 0], 1 - mirror[:, 1], atol=1e-7)


def test_leaving_a_parameter_out_leaves_the_others_correlation():
    group = Correlation(parameters=ABC, matrix=MATRIX).over([ABC[2], ABC[1]])
    assert group.parameters == ABC[1:]
    assert group.matrix == ((1.0, -0.3), (-0.3, 1.0))


def test_each_row_is_what_it_is_alone():
    group = Correlation(parameters=ABC, coefficient=0.5)
    u = randomness.uniform(0, "u", np.arange(50), size=3)
    alone = np.concatenate([correlated(row[None], group.root()) for row in u])
    np.testing.assert_array_equal(correlated(u, group.root()), alone)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "either a coefficient or a matrix"),
        ({"coefficient": 1.5}, "[-1, 1]"),
        ({"matrix": ((1.0, 0.5),)}, "3 rows of 3"),
        ({"matrix": ((2.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))}, "1 on its diagonal"),
        ({"matrix": ((1.0, 0.5, 0), (0, 1.0, 0), (0, 0, 1.0))}, "not symmetric: [0][1] is 0.5"),
        ({"matrix": ((1.0, 0.9, -0.9), (0.9, 1.0, 0.9), (-0.9, 0.9, 1.0))}, "0.556 or less"),
    ],
)
def test_a_correlation_that_cannot_be_is_refused(values, says):
    with pytest.raises(ParameterError) as caught:
        Correlation(parameters=ABC, **values)
    assert says in str(caught.value)


def test_the_advice_about_an_impossible_matrix_is_right():
    shrunk = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    off = ~np.eye(3, dtype=bool)
    shrunk[off] *= 0.5555
    assert np.linalg.eigvalsh(shrunk).min() > 0
    Correlation(parameters=ABC, matrix=tuple(map(tuple, shrunk)))


def test_three_parameters_cannot_all_be_opposites():
    with pytest.raises(ParameterError, match=r"lowest possible is -0\.5"):
        Correlation(parameters=ABC, coefficient=-0.6).root()
    Correlation(parameters=ABC, coefficient=-0.5).root()
