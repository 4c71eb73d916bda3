import numpy as np
import pytest

from sim2real import shipped
from sim2real.errors import ParameterError
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.sim.mujoco_batch import MujocoSimulator

RANGES = {
    "body.bob.mass": Range.parse({"scale": [0.5, 1.5]}, ""),
    "joint.pivot.damping": Range.parse({"set": {"log_uniform": [0.01, 0.2]}}, ""),
}
IDS = np.arange(8)
EPISODE = np.full(8, 3)


@pytest.fixture(scope="module")
def sim():
    return MujocoSimulator(shipped.find_robot("pendulum"), 8)


def test_a_world_can_be_drawn_again_alone(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    values, _ = engine.draw(IDS, EPISODE)
    alone, _ = engine.draw(IDS[5:6], EPISODE[5:6])
    np.testing.assert_array_equal(values[5:6], alone)


def test_other_parameters_and_their_order_change_nothing(sim):
    both, _ = Randomizer(sim, RANGES, seed=1).draw(IDS, EPISODE)
    turned, _ = Randomizer(sim, dict(reversed(RANGES.items())), seed=1).draw(IDS, EPISODE)
    one, _ = Randomizer(sim, {"body.bob.mass": RANGES["body.bob.mass"]}, seed=1).draw(IDS, EPISODE)
    np.testing.assert_array_equal(both, turned[:, ::-1])
    np.testing.assert_array_equal(both[:, :1], one)


def test_worlds_differ_between_episodes_and_seeds(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    values, _ = engine.draw(IDS, EPISODE)
    assert (values != engine.draw(IDS, EPISODE + 1)[0]).all()
    assert (values != Randomizer(sim, RANGES, seed=2).draw(IDS, EPISODE)[0]).all()


def test_repeated_draws_do_not_accumulate(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    for episode in range(50):
        values, _ = engine.draw(IDS, np.full(8, episode))
        engine.apply(IDS.astype(np.int32), values)
    mass = sim.fields.expand("body_mass")[:, 2]
    assert ((mass >= 0.273) & (mass <= 0.819)).all()


def test_normalized_values_lie_in_the_unit_box(sim):
    _, normalized = Randomizer(sim, RANGES, seed=1).draw(IDS, EPISODE)
    assert np.abs(normalized).max() <= 1.0


def test_a_posterior_is_drawn_instead_of_the_range_of_its_parameters(sim):
    posterior = Posterior(
        names=("body.bob.mass",), mean=(0.6,), covariance=((1e-6,),), lower=(0.1,), upper=(1.0,),
        origin={})  # fmt: skip
    engine = Randomizer(sim, RANGES, posterior, seed=1)
    assert engine.names == ("joint.pivot.damping", "body.bob.mass")
    values, _ = engine.draw(IDS, EPISODE)
    np.testing.assert_allclose(values[:, 1], 0.6, atol=5e-3)


@pytest.mark.parametrize(
    ("name", "data"),
    [("body.bob.mass", {"add": [-1.0, 0.0]}), ("joint.pivot.damping", {"set": [-0.1, 0.1]}),
     ("joint.pivot.damping", {"add": {"normal": [0.0, 1.0]}})],
)  # fmt: skip
def test_a_range_that_can_draw_the_impossible_is_refused(sim, name, data):
    with pytest.raises(ParameterError, match="physically possible"):
        Randomizer(sim, {name: Range.parse(data, name)}, seed=1)
