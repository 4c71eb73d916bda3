import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.errors import ParameterError
from sim2real.parameters.ranges import Range
from sim2real.randomization.adaptive.box import Box

RANGES = {
    "body.bob.mass": Range.parse({"scale": [0.5, 1.5]}, ""),
    "joint.pivot.damping": Range.parse({"set": {"log_uniform": [0.01, 1.0]}}, ""),
    "opt.gravity[2]": Range.parse({"scale": [0.9, 1.1]}, ""),
    "joint.pivot.frictionloss": Range.parse({"add": {"normal": [0.0, 0.1]}}, ""),
    "joint.pivot.armature": Range.parse({"scale": [0.5, 1.5]}, ""),
}
NOMINAL = (2.0, 5.0, -10.0, 0.1, 0.0)


def test_the_box_is_absolute_and_holds_the_nominal_values():
    box = Box.of(RANGES, NOMINAL)
    np.testing.assert_allclose(box.low, [1.0, 0.01, -11.0])
    np.testing.assert_allclose(box.high, [3.0, 1.0, -9.0])
    np.testing.assert_allclose(box.nominal, [2.0, 1.0, -10.0])  # clipped into the range


def test_what_has_no_bounds_or_no_width_does_not_adapt():
    assert Box.of(RANGES, NOMINAL).names == tuple(RANGES)[:3]


@pytest.mark.parametrize(
    ("name", "message"),
    [("joint.pivot.frictionloss", "two bounds"), ("joint.pivot.armature", "two bounds"),
     ("body.bob.mas", "did you mean 'body.bob.mass'")],
)  # fmt: skip
def test_choosing_what_cannot_adapt_is_an_error_that_says_why(name, message):
    with pytest.raises(ParameterError, match=message):
        Box.of(RANGES, NOMINAL, [name])


def test_a_robot_without_bounded_ranges_cannot_adapt():
    with pytest.raises(ParameterError, match="nothing can adapt"):
        Box.of({}, ())


def test_half_way_along_orders_of_magnitude_is_the_geometric_mean():
    np.testing.assert_allclose(Box.of(RANGES, NOMINAL).values(np.full(3, 0.5)), [2.0, 0.1, -10.0])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_shares_of_the_way_and_values_are_each_others_inverse(share):
    box = Box.of(RANGES, NOMINAL)
    np.testing.assert_allclose(box.unit(box.values(np.array(share))), share, atol=1e-9)


def test_ranges_between_the_bounds_are_the_declared_ones():
    box = Box.of(RANGES, NOMINAL)
    ranges = box.between(box.low, box.high)
    for name, nominal in zip(box.names, NOMINAL, strict=False):
        np.testing.assert_allclose(ranges[name].bounds(nominal), RANGES[name].bounds(nominal))
    assert ranges["joint.pivot.damping"] == RANGES["joint.pivot.damping"]
