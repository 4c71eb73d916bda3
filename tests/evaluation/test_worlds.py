import dataclasses
import functools

import numpy as np
import pytest

from sim2real.deploy.excitation import Excitation
from sim2real.errors import ConfigError
from sim2real.evaluation.worlds import drawn_parameters, roll_out
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.posterior import Posterior


@pytest.fixture
def make_motion():
    return functools.partial(Excitation, seconds=3.0, amplitude=0.5)


@pytest.fixture
def motion(arm, make_motion):
    return make_motion(arm)


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


def test_a_posterior_may_know_longer_delays_than_the_ranges(pendulum, make_motion):
    posterior = Posterior(
        names=("actuator.pivot.delay",), mean=(0.2,), covariance=((1e-4,),), lower=(0.1,),
        upper=(0.3,), origin={})  # fmt: skip
    worlds = roll_out(pendulum, make_motion(pendulum), worlds=4, posterior=posterior)
    assert np.isfinite(worlds.position).all()


def test_what_is_drawn_together_is_shown_together(pendulum, ranged, make_motion):
    group = Correlation(parameters=("body.bob.mass", "joint.pivot.damping"), coefficient=0.95)
    robot = ranged(
        pendulum,
        body__bob__mass={"scale": [0.5, 1.5]},
        joint__pivot__damping={"set": [0.0, 0.2]},
    )
    robot = dataclasses.replace(robot, correlate=(group,))
    worlds = roll_out(robot, make_motion(robot), worlds=200)
    assert np.corrcoef(worlds.values.T)[0, 1] > 0.9


def test_what_is_drawn_again_where_it_is_impossible_is_shown(pendulum, ranged):
    robot = ranged(pendulum, joint__pivot__damping={"set": {"normal": [0.1, 0.1]}})
    (drawn,) = drawn_parameters(dataclasses.replace(robot, impossible="redraw"))
    assert drawn.values.min() >= 0.0


def test_a_robot_that_randomizes_nothing_is_refused(pendulum):
    with pytest.raises(ConfigError, match="randomizes nothing"):
        drawn_parameters(pendulum.with_ranges({}))
