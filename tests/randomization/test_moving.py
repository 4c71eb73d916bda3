"""Ranges that are replaced in flight."""

import numpy as np
import pytest

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ParameterError
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.sim.mujoco_batch import MujocoSimulator

RANGES = {
    "body.bob.mass": Range.parse({"set": [0.2, 1.0]}, ""),
    "joint.pivot.damping": Range.parse({"set": {"log_uniform": [0.01, 0.2]}}, ""),
    "joint.pivot.frictionloss": Range.parse({"set": [0.0, 0.3]}, ""),
}
NARROW = {
    "body.bob.mass": Range.parse({"set": {"beta": [2.0, 5.0, 0.2, 1.0]}}, ""),
    "joint.pivot.frictionloss": Range.parse({"set": [0.1, 0.2]}, ""),
}
N = 512
IDS, EPISODE = np.arange(N), np.full(N, 3)


@pytest.fixture(scope="module")
def sim():
    return MujocoSimulator(shipped.find_robot("pendulum"), N)


@pytest.fixture
def engine(sim):
    return Randomizer(sim, RANGES, seed=1)


def test_replaced_ranges_are_drawn_from_and_the_others_stay(engine):
    before, _ = engine.draw(IDS, EPISODE)
    engine.replace(NARROW)
    after, _ = engine.draw(IDS, EPISODE)
    np.testing.assert_array_equal(after[:, 1], before[:, 1])
    assert after[:, 2].min() >= 0.1
    assert after[:, 2].max() <= 0.2
    assert after[:, 0].mean() == pytest.approx(0.2 + 0.8 * 2 / 7, abs=0.02)
    assert engine.ranges == RANGES | NARROW
    engine.replace({})
    np.testing.assert_array_equal(engine.draw(IDS, EPISODE)[0], before)


def test_a_world_of_replaced_ranges_can_be_drawn_again_alone(engine):
    engine.replace(NARROW, boundary=0.5)
    values, normalized = engine.draw(IDS, EPISODE)
    alone = engine.draw(IDS[7:8], EPISODE[7:8])
    np.testing.assert_array_equal(values[7:8], alone[0])
    np.testing.assert_array_equal(normalized[7:8], alone[1])


def test_normalized_values_stay_relative_to_the_declared_bounds(engine):
    engine.replace(NARROW)
    values, normalized = engine.draw(IDS, EPISODE)
    np.testing.assert_allclose(normalized[:, 0], (values[:, 0] - 0.6) / 0.4)
    np.testing.assert_allclose(normalized[:, 2], (values[:, 2] - 0.15) / 0.15)
    assert np.abs(normalized).max() <= 1.0


def test_a_share_of_the_worlds_stands_on_boundaries_each_as_often(engine):
    engine.replace(NARROW, boundary=0.5)
    ids = np.arange(20_000)
    values, _ = engine.draw(ids, np.zeros(20_000, int))
    on = [
        (values[:, 0] == 0.2),
        (values[:, 0] == 1.0),
        (values[:, 2] == 0.1),
        (values[:, 2] == 0.2),
    ]
    np.testing.assert_allclose([where.mean() for where in on], 0.125, atol=0.01)
    assert np.sum(on, axis=0).max() == 1  # one parameter at a time
    rest = ~np.any(on, axis=0)
    np.testing.assert_array_equal(
        values[rest], [row for row, free in zip(values, rest, strict=True) if free]
    )


@pytest.mark.parametrize(
    ("ranges", "message"),
    [({"body.bob.mas": RANGES["body.bob.mass"]}, "did you mean 'body.bob.mass'"),
     ({"body.bob.mass": Range.parse({"set": [0.1, 1.0]}, "")}, "leaves the declared"),
     ({"joint.pivot.armature": Range.parse({"set": [0.0, 0.1]}, "")}, "no range that can move")],
)  # fmt: skip
def test_what_cannot_move_is_refused(engine, ranges, message):
    with pytest.raises(ParameterError, match=message):
        engine.replace(ranges)


def test_what_is_drawn_with_others_or_within_an_episode_or_known_does_not_move(sim):
    ranges = RANGES | {
        "joint.pivot.armature": Range.parse({"set": [0.0, 0.1], "when": "step"}, ""),
        "actuator.pivot.gain": Range.parse({"scale": [0.9, 1.1]}, ""),
    }
    together = Correlation(parameters=("body.bob.mass", "joint.pivot.damping"), coefficient=0.5)
    posterior = Posterior(
        names=("actuator.pivot.gain",), mean=(1.0,), covariance=((1e-4,),), lower=(0.5,),
        upper=(1.5,), origin={})  # fmt: skip
    engine = Randomizer(
        sim, ranges, posterior, seed=1, correlations=[together], posterior_share=0.5
    )
    assert set(engine.movable) == {"joint.pivot.frictionloss"}


def test_an_environment_follows_from_each_ones_next_episode():
    env = RobotVectorEnv(shipped.find_robot("pendulum"), 4, seed=1)
    env.reset()
    before = env.values
    column = env.randomizer.names.index("body.bob.mass")
    env.randomize({"body.bob.mass": Range.parse({"set": [0.5, 0.5]}, "")})
    env.step(np.zeros((4, 1), np.float32))
    np.testing.assert_array_equal(env.values, before)
    env.reset()
    np.testing.assert_array_equal(env.values[:, column], 0.5)
    env.reset(seed=9)  # another seed draws other worlds, from the same ranges
    np.testing.assert_array_equal(env.values[:, column], 0.5)


def test_an_environment_saved_after_its_ranges_moved_continues_exactly():
    envs = [RobotVectorEnv(shipped.find_robot("pendulum"), 4, seed=seed) for seed in (1, 2)]
    moved = {"body.bob.mass": Range.parse({"set": [0.5, 0.6]}, "")}
    envs[0].reset()
    envs[0].randomize(moved)  # the worlds under way are of the ranges before
    push = np.ones((4, 1), np.float32)
    envs[0].step(push)
    envs[1].randomize(moved)
    envs[1].load_state_dict(envs[0].state_dict())
    for _ in range(3):
        left, right = (env.step(push) for env in envs)
        np.testing.assert_array_equal(left[0], right[0])
    np.testing.assert_array_equal(envs[0].reset()[0], envs[1].reset()[0])
    np.testing.assert_array_equal(envs[0].values, envs[1].values)
