"""Worlds that the caller sets instead of drawing them."""

import numpy as np
import pytest

from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ParameterError
from sim2real.shipped import find_robot


def make(n=4, **options):
    return RobotVectorEnv(find_robot("pendulum"), n, **options)


def push(env, steps):
    action = np.full(env.action_space.shape, 0.3, np.float32)
    return [env.step(action) for _ in range(steps)]


def test_the_worlds_that_a_seed_draws_give_the_same_episode_when_given():
    drawn, given = make(), make()
    first, _ = drawn.reset(seed=3)
    second, _ = given.reset(seed=3, options={"worlds": drawn.values.copy()})
    np.testing.assert_array_equal(first, second)
    for one, other in zip(push(drawn, 30), push(given, 30), strict=True):
        np.testing.assert_array_equal(one[0], other[0])


def test_given_worlds_are_what_is_simulated():
    env = make()
    worlds = np.tile(env.randomizer.parameters.nominal, (4, 1))
    column = env.randomizer.names.index("body.bob.mass")
    worlds[:, column] = [0.3, 0.4, 0.5, 0.6]
    env.reset(seed=0, options={"worlds": worlds})
    body = env.sim.model.body("bob").id
    np.testing.assert_array_equal(env.sim.fields.expand("body_mass")[:, body], worlds[:, column])
    np.testing.assert_array_equal(env.values, worlds)
    assert np.isnan(env.privileged).all()


def test_the_next_episodes_are_drawn_again():
    env, free = make(), make()
    env.reset(seed=0, options={"worlds": np.tile(env.randomizer.parameters.nominal, (4, 1))})
    env.reset()
    free.reset(seed=0), free.reset()
    np.testing.assert_array_equal(env.values, free.values)


def test_given_worlds_continue_from_a_saved_state():
    env, other = make(), make()
    env.reset(seed=0, options={"worlds": 0.9 * make_worlds(env)})
    push(env, 10)
    other.reset(seed=5)
    other.load_state_dict(env.state_dict())
    for one, two in zip(push(env, 10), push(other, 10), strict=True):
        np.testing.assert_array_equal(one[0], two[0])


def test_worlds_of_the_wrong_shape_are_refused():
    env = make()
    with pytest.raises(ParameterError, match="a row for each environment"):
        env.reset(options={"worlds": np.zeros((4, 2))})


def test_impossible_worlds_are_refused():
    env = make()
    with pytest.raises(ParameterError, match="impossible"):
        env.reset(options={"worlds": -make_worlds(env)})


def test_an_evaluation_meets_the_given_worlds():
    env = make()
    light, heavy = make_worlds(env), make_worlds(env)
    column = env.randomizer.names.index("body.bob.mass")
    light[:, column], heavy[:, column] = 0.25, 0.85

    def act(seen):
        return np.full((len(seen), 1), 0.5, np.float32)

    one, two, again = (evaluate(env, act, seed=1, worlds=w) for w in (light, heavy, light))
    np.testing.assert_array_equal(one.returns, again.returns)
    assert (one.returns != two.returns).all()


def make_worlds(env):
    worlds = np.tile(env.randomizer.parameters.nominal, (env.num_envs, 1))
    worlds[:, env.randomizer.names.index("actuator.pivot.delay")] = 0.02
    return worlds
