import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.errors import ParameterError
from sim2real.parameters.ranges import Range
from sim2real.parameters.table import RangeTable

FORMS = [
    {"scale": [0.5, 1.5]},
    {"add": {"normal": [0.0, 0.1]}, "when": "start"},
    {"set": [0.0, 1.0], "when": "step"},
    {"set": {"log_uniform": [0.1, 1.0]}, "every": 0.5},
    {"scale": [0.5, 1.5], "curriculum": {"first": [0.9, 1.1], "over": [0.2, 0.6]}},
    {"set": {"categorical": {"values": [0.0, 1.0], "weights": [3.0, 1.0]}}},
]


@pytest.mark.parametrize("data", FORMS)
def test_toml_round_trips(data):
    assert Range.parse(data, "").to_toml() == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"scael": [0.5, 1.5]}, "did you mean 'scale'"),
        ({"scale": [0.5, 1.5], "add": [0.0, 1.0]}, "one of scale, add, set"),
        ({"when": "step"}, "one of scale, add, set"),
        ({"scale": [0.5, 1.5], "when": "epsiode"}, "did you mean 'episode'"),
        ({"scale": [0.5, 1.5], "every": 0.0}, "above 0"),
        ({"scale": [0.5, 1.5], "every": "step"}, "number of seconds"),
        ({"scale": [0.5, 1.5], "every": 0.5, "when": "step"}, "either when or every"),
        ({"scale": [0.5, 1.5], "curriculum": [0.0, 1.0]}, "first = [low, high]"),
        ({"scale": [0.5, 1.5], "curriculum": {"first": [2.0, 1.0]}}, "inverted"),
        ({"scale": [0.5, 1.5], "curriculum": {"first": [1.0, 1.0], "over": [0.5, 0.5]}}, "begin"),
    ],
)
def test_what_is_no_range_is_refused(data, says):
    with pytest.raises(ParameterError) as caught:
        Range.parse(data, "body.x.mass")
    assert says in str(caught.value)
    assert str(caught.value).count("body.x.mass") == 1


def test_a_curriculum_widens_from_its_first_range_to_its_own():
    item = Range.parse(FORMS[4], "")
    ends = np.array([1e-12, 1 - 1e-12])
    for progress, low, high in [(0.0, 1.8, 2.2), (0.2, 1.8, 2.2), (0.4, 1.4, 2.6), (0.9, 1.0, 3.0)]:
        np.testing.assert_allclose(item.values(2.0, ends, progress), [low, high])
    assert item.bounds(2.0) == (1.0, 3.0)


def test_a_curriculums_bounds_hold_both_ranges():
    item = Range.parse({"add": [0.0, 0.1], "curriculum": {"first": [-0.5, 0.0]}}, "")
    assert item.bounds(1.0) == (0.5, 1.1)


@given(st.integers(1, 9), st.floats(0, 1))
def test_a_table_says_what_each_of_its_ranges_says(n, progress):
    ranges = [Range.parse(data, "") for data in (*FORMS, {"set": [2.0, 3.0]}, {"add": [0.0, 1.0]})]
    nominal = np.linspace(0.5, 2.0, len(ranges))
    u = np.random.default_rng(n).uniform(0.001, 0.999, (n, len(ranges)))
    values = RangeTable(ranges, nominal).values(u, progress)
    for i, item in enumerate(ranges):
        np.testing.assert_array_equal(values[:, i], item.values(nominal[i], u[:, i], progress))


def test_normalized_values_are_ranks_or_deviations_of_their_own_distribution():
    ranges = [Range.parse(data, "") for data in FORMS]
    u = np.random.default_rng(0).uniform(size=(4000, len(ranges)))
    table = RangeTable(ranges, np.ones(len(ranges)))
    normalized = table.normalized(table.values(u), u)
    np.testing.assert_allclose(normalized[:, :4], 2 * u[:, :4] - 1)
    np.testing.assert_allclose(normalized[:, 4:].mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(normalized[:, 4:].std(axis=0), 0.5, atol=0.02)


def test_leftovers_in_memory_do_not_matter(monkeypatch):
    """Infinity times a nominal value of 0 is an invalid number, and warns."""
    monkeypatch.setattr(np, "empty_like", lambda array: np.full(array.shape, np.inf))
    table = RangeTable([Range.parse({"scale": {"normal": [1.0, 0.1]}}, "")], np.zeros(1))
    np.testing.assert_array_equal(table.values(np.array([[0.2]])), [[0.0]])
