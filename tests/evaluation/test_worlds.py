import numpy as np
import pytest

from sim2real.deploy.excitation import Excitation
from sim2real.errors import ConfigError
from sim2real.evaluation.worlds import drawn_parameters, roll_out
from sim2real.parameters.posterior import Posterior


@pytest.fixture
def motion(arm):
    return Excitation(arm, seconds=3.0, amplitude=0.5)


def test_worlds_differ_and_the_nominal_robot_is_among_them(arm, motion):
    worlds = roll_out(arm, motion, worlds=16)
    assert worlds.position.shape == worlds.velocity.shape == (16, 300, 2)
    low, high = worlds.position.min(axis=0), worlds.position.max(axis=0)
    inside = (worlds.nominal_position >= low - 1e-9) & (worlds.nominal_position <= high + 1e-9)
    assert inside.mean() > 0.9
    assert (np.ptp(worlds.position, axis=0).max(axis=0) > 0.01).all()


def test_a_world_of_nominal_values_moves_as_the_nominal_robot(arm, motion, ranged):
    still = ranged(arm, joint__elbow__damping={"scale": [1.0, 1.0]})
    worlds = roll_out(still, motion, worlds=2)
    np.testing.assert_array_equal(worlds.position[0], worlds.nominal_position)


def test_more_worlds_do_not_change_the_first_ones(arm, motion):
    few, many = (roll_out(arm, motion, worlds=n) for n in (3, 8))
    np.testing.assert_array_equal(few.position, many.position[:3])


def test_a_parameter_is_described_with_its_bounds_and_unit(pendulum):
    drawn = {item.name: item for item in drawn_parameters(pendulum)}
    mass = drawn["body.bob.mass"]
    assert mass.bounds == pytest.approx((0.4 * 0.546, 1.6 * 0.546))
    assert mass.quantile(0.5) == pytest.approx(0.546, rel=0.02)
    assert (mass.unit, mass.nominal) == ("kg", 0.546)
    assert drawn["joint.pivot.damping"].logarithmic
    assert not mass.logarithmic


def test_a_posterior_replaces_the_ranges_of_its_parameters(pendulum):
    posterior = Posterior(
        names=("body.bob.mass",), mean=(0.5,), covariance=((1e-4,),), lower=(0.1,), upper=(1.0,),
        origin={})  # fmt: skip
    (mass,) = [d for d in drawn_parameters(pendulum, posterior) if d.name == "body.bob.mass"]
    assert mass.range is None
    assert mass.quantile(0.84) == pytest.approx(0.51, abs=1e-3)


def test_a_robot_that_randomizes_nothing_is_refused(pendulum):
    with pytest.raises(ConfigError, match="randomizes nothing"):
        drawn_parameters(pendulum.with_ranges({}))
