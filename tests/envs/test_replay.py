"""A world is a function of (seed, environment, episode), and of nothing else."""

import dataclasses

import numpy as np
import pytest

from sim2real import shipped
from sim2real.envs.replay import replay
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.distributions import Beta
from sim2real.parameters.names import ParameterName
from sim2real.parameters.posterior import Posterior, Samples
from sim2real.parameters.ranges import Range
from sim2real.randomization.inventory import inventory
from sim2real.randomization.terms import TERMS
from sim2real.sim.model import compile_model

SEED, K = 5, 7


def act(observation):
    """Return actions that round alike for any number of observations."""
    n = observation.shape[1]
    mixed = np.sin(3.0 * observation + np.arange(n, dtype=np.float32))
    return np.stack([mixed[:, i % n] * 0.9 for i in range(12)], axis=1)


def course(env, k, *, episode, nsteps, policy=act):
    """Return what environment `k` did from `episode` on: observations, states, worlds, rewards."""
    nu, seen = env.single_action_space.shape[0], []
    observation, _ = env.reset(seed=SEED) if env.num_envs > 1 else env.reset()
    while len(seen) < nsteps:
        here = env.episode[k] >= episode
        state, goal = env.sim.fields.state[k].copy(), env.goal[k].copy()
        before = observation[k].copy(), state, env.values[k], goal
        observation, reward, terminated, truncated, infos = env.step(policy(observation)[:, :nu])
        if here:
            ended = terminated[k] or truncated[k]
            last = infos["final_obs"][k] if ended else observation[k]
            seen.append((*before, reward[k], last.copy(), terminated[k], truncated[k]))
    return seen


def assert_same(one, other):
    assert len(one) == len(other) > 10
    for step, again in zip(one, other, strict=True):
        for left, right in zip(step, again, strict=True):
            np.testing.assert_array_equal(left, right)


def restless(name):
    """Return a robot whose worlds vary in every way that there is."""
    robot = shipped.find_robot(name)
    names = list(robot.ranges)
    ranges = {key: item.to_toml() for key, item in robot.ranges.items()}
    ranges[names[0]] |= {"every": max(0.03, 1.0 / robot.control_hz)}
    ranges[names[1]] |= {"when": "start"}
    ranges[names[2]] |= {"when": "step"}
    ranges[names[-1]] |= {"when": "step"}  # a delay, a gain or the noise
    first = robot.ranges[names[4]].to_toml()
    ranges[names[4]] |= {"curriculum": {"first": next(iter(first.values()))}}
    group = Correlation(parameters=(names[2], names[-1]), coefficient=0.7)
    return dataclasses.replace(robot, randomize=ranges, correlate=(group,))


@pytest.mark.parametrize("name", shipped.robot_names())
@pytest.mark.parametrize("make", [shipped.find_robot, restless], ids=["shipped", "restless"])
def test_one_episode_is_replayed_alone_bit_for_bit(name, make):
    robot = make(name)
    short = dataclasses.replace(robot, task=robot.task | {"episode_seconds": 0.5})
    large = RobotVectorEnv(short, 24, nthread=2)
    truth = course(large, K, episode=2, nsteps=60)
    alone = replay(short, seed=SEED, environment=K, episode=2)
    assert_same(truth, course(alone, 0, episode=2, nsteps=60))


@pytest.mark.parametrize("name", shipped.robot_names())
def test_other_numbers_of_environments_and_threads_change_nothing(name):
    robot = restless(name)
    few, many = RobotVectorEnv(robot, K + 1), RobotVectorEnv(robot, 40, nthread=2)
    assert_same(course(few, K, episode=0, nsteps=40), course(many, K, episode=0, nsteps=40))


MOMENTS = ({}, {"when": "step"}, {"every": 0.1}, {"when": "start"})


def with_everything(name):
    """Return a robot of which all is drawn that there is, at all moments, from usual ranges."""
    robot, ranges = shipped.find_robot(name), {}
    for i, entry in enumerate(inventory(robot, compile_model(robot))):
        parameter = ParameterName.parse(entry.name)
        usual = TERMS[f"{parameter.kind}.{parameter.attribute}"].usual
        nothing = usual is None or (usual.operation == "scale" and entry.nominal == 0.0)
        # restitution and length_at_mass stand for others that are here; lengths move places
        if not nothing and parameter.attribute not in ("restitution", "length_at_mass", "length"):
            ranges[entry.name] = usual.to_toml() | MOMENTS[i % 4]
    return dataclasses.replace(robot, randomize=ranges, impossible="redraw")


@pytest.mark.parametrize(("name", "least"), [("double_pendulum", 150), ("hopper", 350)])
def test_an_episode_in_which_everything_is_drawn_is_replayed_bit_for_bit(name, least):
    robot = with_everything(name)
    large = RobotVectorEnv(robot, K + 1, nthread=2)
    assert len(large.randomizer.names) > least
    truth = course(large, K, episode=0, nsteps=20)
    alone = replay(robot, seed=SEED, environment=K, episode=0)
    assert_same(truth, course(alone, 0, episode=0, nsteps=20))


@pytest.mark.parametrize("key", ["position_delay", "velocity_delay_jitter"])
@pytest.mark.parametrize("when", [{"every": 0.1}, {"when": "step"}], ids=["interval", "step"])
def test_a_sensors_delay_that_grows_within_an_episode_finds_its_past(key, when):
    """However short the delays were when the episode began, in whichever environments."""
    ranges = {f"joint.pivot.{key}": {"set": [0.0, 0.2], **when}}
    robot = dataclasses.replace(shipped.find_robot("pendulum"), randomize=ranges)
    large = course(RobotVectorEnv(robot, 24), K, episode=0, nsteps=60)
    alone = replay(robot, seed=SEED, environment=K, episode=0)
    assert_same(large, course(alone, 0, episode=0, nsteps=60))


@pytest.mark.parametrize("name", shipped.robot_names())
def test_other_orders_of_the_parameters_change_nothing(name):
    robot = restless(name)
    turned = dataclasses.replace(robot, randomize=dict(reversed(robot.randomize.items())))
    one, other = RobotVectorEnv(robot, K + 1), RobotVectorEnv(turned, K + 1)
    left = course(one, K, episode=0, nsteps=40)
    right = course(other, K, episode=0, nsteps=40)
    order = [other.randomizer.names.index(name) for name in one.randomizer.names]
    assert_same(left, [(*step[:2], step[2][order], *step[3:]) for step in right])


def test_restarting_some_does_not_touch_the_others():
    robot = restless("hopper")
    plain, other = RobotVectorEnv(robot, 4, seed=SEED), RobotVectorEnv(robot, 4, seed=SEED)
    plain.reset(), other.reset()
    still = np.zeros((4, 3), np.float32)
    for step in range(40):
        if step in (3, 7, 20):
            other.steps[[0, 2]] = other.max_steps  # these restart now
        left, right = plain.step(still), other.step(still)
        np.testing.assert_array_equal(left[0][[1, 3]], right[0][[1, 3]])
    assert other.episode[0] >= 3


@pytest.mark.parametrize("name", shipped.robot_names())
def test_two_policies_meet_the_same_worlds(name):
    env, seen = RobotVectorEnv(restless(name), 6, seed=SEED), []
    for scale in (0.0, 1.0):
        env.reset(seed=SEED)
        worlds, nu = [], env.single_action_space.shape[0]
        for _ in range(8):
            worlds.append((env.values, env.goal.copy()))
            env.step(np.full((6, nu), scale, np.float32))
        seen.append(worlds)
    for left, right in zip(*seen, strict=True):
        np.testing.assert_array_equal(left[0], right[0])
        np.testing.assert_array_equal(left[1], right[1])


def test_a_world_of_a_share_of_a_posteriors_samples_is_replayed_too():
    robot = shipped.find_robot("pendulum")
    rows = ((0.5, 0.1), (0.6, 0.05), (0.7, 0.2))
    known = Posterior.of_samples(
        ("body.bob.mass", "joint.pivot.damping"), Samples(values=rows, kernel=0.5),
        lower=(0.1, 0.0), upper=(1.0, 1.0), origin={})  # fmt: skip
    options = {"posterior": known, "posterior_share": 0.5}
    large = RobotVectorEnv(robot, 12, **options)
    for k in (2, 3, 5):
        truth = course(large, k, episode=0, nsteps=30)
        alone = replay(robot, seed=SEED, environment=k, episode=0, **options)
        assert_same(truth, course(alone, 0, episode=0, nsteps=30))


@pytest.mark.parametrize("name", ["so101", "quadruped"])
def test_a_world_of_ranges_that_moved_is_replayed_from_its_row(name):
    """Also what the critic saw, and what is drawn beside them within the episode."""
    robot = restless(name)
    large = RobotVectorEnv(robot, 12, seed=SEED)
    chosen = list(large.randomizer.movable)[:4]
    shapes = {}
    for each in chosen:
        column = large.randomizer.names.index(each)
        low, high = robot.ranges[each].bounds(large.randomizer.parameters.nominal[column])
        shapes[each] = Range("set", Beta(2.0, 3.0, low, high))
    large.randomize(shapes, boundary=0.5)
    truth = course(large, K, episode=0, nsteps=30)
    row = dict(zip(large.randomizer.names, truth[0][2], strict=True))
    moved = {each: row[each] for each in chosen}
    alone = replay(robot, seed=SEED, environment=K, episode=0, moved=moved)
    large.reset(seed=SEED)
    shown = large.privileged[K]
    assert not any(step[-1] or step[-2] for step in truth)
    assert_same(truth, course(alone, 0, episode=0, nsteps=30))
    alone.reset(options={"episode": 0})
    np.testing.assert_array_equal(shown, alone.privileged[0])


def test_a_posterior_may_know_longer_delays_than_the_ranges():
    robot = shipped.find_robot("pendulum")
    known = Posterior(
        names=("actuator.pivot.delay",), mean=(0.2,), covariance=((1e-4,),), lower=(0.1,),
        upper=(0.3,), origin={})  # fmt: skip
    assert robot.ranges["actuator.pivot.delay"].bounds(0.0)[1] == 0.06
    env = RobotVectorEnv(robot, 3, posterior=known)
    env.reset()
    delay = env.values[:, env.randomizer.names.index("actuator.pivot.delay")]
    assert (delay > 0.1).all()
    force = env.sim.fields.bind("actuator_force")
    for step in range(1, 30):  # 10 ms each
        env.step(np.full((3, 1), 0.5, np.float32))
        acts = (np.abs(force[:, 0]) > 0.1).tolist()
        assert acts == (0.01 * step > delay + 1e-9).tolist()


def test_a_world_of_a_curriculum_is_replayed_at_its_progress():
    robot = shipped.find_robot("pendulum")
    ranges = {"body.bob.mass": {"scale": [0.5, 1.5], "curriculum": {"first": [1.0, 1.0]}}}
    robot = dataclasses.replace(robot, randomize=ranges)
    large = RobotVectorEnv(robot, 12)
    large.set_progress(0.25)
    truth = course(large, K, episode=0, nsteps=30)
    assert abs(large.values[:, 0] / 0.546 - 1).max() < 0.125
    alone = replay(robot, seed=SEED, environment=K, episode=0, progress=0.25)
    assert_same(truth, course(alone, 0, episode=0, nsteps=30))


@pytest.mark.parametrize("name", shipped.robot_names())
def test_a_restless_environment_saved_in_mid_episode_continues_exactly(name):
    env, other = (RobotVectorEnv(restless(name), 5, seed=seed) for seed in (SEED, 99))
    nu = env.single_action_space.shape[0]
    observation, _ = env.reset()
    for _ in range(17):
        observation = env.step(act(observation)[:, :nu])[0]
    other.load_state_dict(env.state_dict())
    for _ in range(25):
        left, right = env.step(act(observation)[:, :nu]), other.step(act(observation)[:, :nu])
        for one, two in zip(left[:4], right[:4], strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(env.values, other.values)
        np.testing.assert_array_equal(env.privileged, other.privileged)
        observation = left[0]
