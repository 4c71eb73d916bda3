import numpy as np
import pytest
from gymnasium.utils.env_checker import check_space_limit
from gymnasium.vector import AutoresetMode

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv

ROBOTS = ["pendulum", "hopper", "so101"]


def make(name="pendulum", n=6, **options):
    return RobotVectorEnv(shipped.find_robot(name), n, **options)


def actions(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (steps, *env.action_space.shape)).astype(np.float32)


def rollout(env, plan):
    return [env.step(action) for action in plan]


@pytest.mark.parametrize("name", ROBOTS)
def test_what_comes_back_fits_the_spaces(name):
    env = make(name)
    observation, infos = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    assert infos == {}
    check_space_limit(env.single_action_space, "action")
    for observation, reward, terminated, truncated, _ in rollout(env, actions(env, 30)):
        assert env.observation_space.contains(observation)
        assert reward.shape == terminated.shape == truncated.shape == (6,)
        assert np.isfinite(reward).all()
        assert terminated.dtype == truncated.dtype == bool
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


@pytest.mark.parametrize("name", ROBOTS)
def test_a_seed_gives_the_same_rollout_twice(name):
    plan = actions(make(name), 40)
    results = []
    for nthread in (1, 2):
        env = make(name, nthread=nthread)
        env.reset(seed=5)
        results.append(rollout(env, plan))
    for one, other in zip(*results, strict=True):
        for left, right in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(left, right)


def test_more_environments_do_not_change_the_first_ones():
    few, many = make(n=3), make(n=9)
    few.reset(seed=2), many.reset(seed=2)
    plan = actions(many, 20)
    for action in plan:
        left, right = few.step(action[:3]), many.step(action)
        np.testing.assert_array_equal(left[0], right[0][:3])


def test_returned_arrays_are_not_reused():
    env = make()
    first, _ = env.reset(seed=1)
    kept = first.copy()
    rollout(env, actions(env, 3))
    np.testing.assert_array_equal(first, kept)


def test_the_time_limit_truncates_and_does_not_terminate():
    env = make(randomized=False)
    env.reset(seed=1)
    still = np.zeros(env.action_space.shape, np.float32)
    for _ in range(env.max_steps - 1):
        _, _, terminated, truncated, _ = env.step(still)
        assert not truncated.any()
    _, _, terminated, truncated, infos = env.step(still)
    assert truncated.all()
    assert not terminated.any()
    assert (infos["episode_steps"] == env.max_steps).all()


def test_the_final_observation_is_of_the_old_episode_and_the_returned_one_of_the_new():
    env, twin = make("hopper", n=4), make("hopper", n=4)
    env.reset(seed=3), twin.reset(seed=3)
    for action in actions(env, 300):
        observation, _, terminated, _, infos = env.step(action)
        if terminated.any():
            break
    done = infos["_final_obs"]
    np.testing.assert_array_equal(infos["final_obs"][~done], observation[~done])
    # a fallen hopper's last height or pitch is unhealthy, a fresh one's is not
    assert (infos["final_obs"][done, 0] < 0.75).any() or (
        np.abs(infos["final_obs"][done, 1]) > 0.15
    ).any()
    assert (observation[done, 0] > 1.2).all()


def test_each_episode_is_another_world():
    env = make()
    env.reset(seed=1)
    masses = [env.sim.fields.expand("body_mass")[:, 2].copy()]
    for _ in range(2):
        env.reset()
        masses.append(env.sim.fields.expand("body_mass")[:, 2].copy())
    assert len({*np.concatenate(masses)}) == 18


def test_resetting_with_the_seed_starts_the_same_worlds_again():
    env = make()
    first, _ = env.reset(seed=1)
    rollout(env, actions(env, 10))
    env.reset()
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(first, again)


def test_without_randomization_every_world_is_the_nominal_one():
    env = make(randomized=False)
    env.reset(seed=1)
    assert env.randomizer.names == ()
    assert env.privileged.shape == (6, 0)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_saved_environment_continues_exactly(name):
    plan = actions(make(name), 60)
    env = make(name)
    env.reset(seed=4)
    rollout(env, plan[:30])
    saved = env.state_dict()
    expected = rollout(env, plan[30:])
    other = make(name, seed=99)
    other.load_state_dict(saved)
    for one, two in zip(expected, rollout(other, plan[30:]), strict=True):
        for left, right in zip(one[:4], two[:4], strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_simulation_that_diverges_is_truncated_at_its_last_good_observation():
    env = make("hopper", n=4)
    first, _ = env.reset(seed=1)
    env.sim.fields.bind("qvel")[2] = 1e12
    observation, reward, terminated, truncated, infos = env.step(np.zeros((4, 3), np.float32))
    assert truncated.tolist() == infos["diverged"].tolist() == [False, False, True, False]
    assert not terminated.any()
    assert np.isfinite(observation).all()
    assert np.isfinite(reward).all()
    assert reward[2] == 0.0
    np.testing.assert_array_equal(infos["final_obs"][2], first[2])
    assert env.diverged == 1
    assert env.episode.tolist() == [0, 0, 1, 0]


def test_a_diverged_simulation_goes_on_in_the_world_that_was_next():
    env, untouched = make("hopper", n=2), make("hopper", n=2)
    env.reset(seed=1), untouched.reset(seed=1), untouched.reset()
    env.sim.fields.bind("qvel")[1] = np.nan
    env.step(np.zeros((2, 3), np.float32))
    plan = actions(env, 20)
    for left, right in zip(rollout(env, plan), rollout(untouched, plan), strict=True):
        np.testing.assert_array_equal(left[0][1], right[0][1])


def test_a_servo_starts_by_holding_its_pose():
    env = make("so101", randomized=False)
    env.reset(seed=1)
    start = env.sim.position.copy()
    for _ in range(5):
        env.step(np.zeros(env.action_space.shape, np.float32))
    assert np.abs(env.sim.position - start).max() < 0.1
