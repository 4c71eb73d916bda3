"""What is corrected, by how much, and what is said about it."""

from collections.abc import Callable
from dataclasses import replace
from typing import final

import numpy as np
import pytest

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError, GapError
from sim2real.gap.correction import GapCorrection
from sim2real.gap.diagnosis import warnings
from sim2real.gap.judge import Judge
from sim2real.gap.memory import Memory
from sim2real.gap.observer import StateReader
from sim2real.gap.recorder import Recorder
from sim2real.gap.representation import RepresentationJudge
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import LoggedTarget
from sim2real.gap.transitions import Transitions
from sim2real.shipped import find_robot

CHANGED = {"joint.pivot.damping": 0.2}


@final
class Planted(Judge):
    """Values a transition by its first change; what is told apart cannot be wrong."""

    def learn(self, source, target, steps):
        return {}

    def value(self, transitions):
        return transitions.change[:, 0].astype(float), transitions.action[:, 0] > -5.0

    def state_dict(self):
        return {}

    def load_state_dict(self, data):
        pass


def some(n, seed=0, size=1.0):
    rng = np.random.default_rng(seed)
    return Transitions(
        state=rng.normal(size=(n, 2)),
        action=rng.normal(size=(n, 1)),
        change=size * rng.normal(size=(n, 2)),
    )


@pytest.fixture
def make() -> Callable[..., GapCorrection]:
    """Return a correction whose target is a log of 500 transitions."""

    def correction(method="reward", **fields):
        settings = GapSettings(method=method, logs=("a.mcap",), **fields)
        rng = np.random.default_rng(0)
        return GapCorrection(settings, LoggedTarget(some(500)), Planted(), rounds=10, rng=rng)

    return correction


def nothing(observation):
    return observation


def test_lambda_brings_the_spread_of_delta_r_to_a_share_of_the_rewards_size(make):
    correction = make(strength=0.5)
    source = some(4000, size=2.0)
    reward = np.full(4000, -0.3)
    assert not correction.bonus(source).any()
    correction.learn(nothing, source, reward, 0.5)
    assert correction.bonus(source).std() == pytest.approx(0.15, rel=0.1)


def test_noise_of_the_judge_is_not_blown_up(make):
    correction = make(strength=0.5)
    source = some(4000, size=0.05)
    correction.learn(nothing, source, np.random.default_rng(1).standard_normal(4000), 0.5)
    assert correction.bonus(source).std() < 0.03


def test_lambda_grows_over_the_warm_up(make):
    source, reward = some(4000, size=2.0), np.linspace(0.0, 1.0, 4000)
    scales = []
    for progress in (0.0, 0.01, 0.02, 0.5):
        correction = make(warm_up=0.02)
        correction.learn(nothing, source, reward, progress)
        scales.append(correction.scale)
    assert scales[0] == 0.0
    assert scales[1] == pytest.approx(0.5 * scales[3])
    assert scales[2] == pytest.approx(scales[3])


def test_a_given_lambda_is_taken(make):
    correction = make(scale=0.7)
    correction.learn(nothing, some(400), np.zeros(400), 1.0)
    assert correction.scale == 0.7


def test_delta_r_is_clipped_and_nothing_is_gained_where_it_is_not_known(make):
    correction = make(clip=1.5, scale=1.0)
    correction.learn(nothing, some(400), np.zeros(400), 1.0)
    change, action = np.array([[9.0, 0.0]] * 2 + [[-9.0, 0.0]]), np.array([[0.0], [-9.0], [-9.0]])
    rows = Transitions(state=np.zeros((3, 2)), action=action, change=change)
    np.testing.assert_array_equal(correction.bonus(rows), [1.5, 0.0, -1.5])


def test_weights_are_bounded_and_those_of_the_reward_are_none(make):
    source = some(1000, size=5.0)
    correction = make("weight")
    correction.learn(nothing, source, np.zeros(1000), 1.0)
    weights = correction.weights(source)
    assert weights.min() == pytest.approx(0.1)
    assert weights.max() == pytest.approx(10.0)
    assert not correction.bonus(source).any()
    assert make("reward").weights(source) is None


def test_filter_keeps_the_most_plausible_share(make):
    source = some(1000)
    correction = make("filter", keep=0.3)
    correction.learn(nothing, source, np.zeros(1000), 1.0)
    kept = correction.weights(source) > 0
    assert kept.mean() == pytest.approx(0.3, abs=0.01)
    assert source.change[kept, 0].min() >= source.change[~kept, 0].max()


def test_a_memory_keeps_the_last_and_rows_stay_where_they_are():
    memory = Memory(100)
    first, second = some(80, 0), some(50, 1)
    memory.add(first)
    memory.add(second)
    assert len(memory) == 100
    np.testing.assert_array_equal(memory.transitions.state[:30], second.state[20:])
    np.testing.assert_array_equal(memory.transitions.state[30:80], first.state[30:])
    np.testing.assert_array_equal(memory.transitions.state[80:], second.state[:20])


def test_a_memory_takes_only_the_last_of_too_many():
    memory = Memory(10)
    many = some(35)
    memory.add(many)
    assert set(memory.transitions.state[:, 0]) == set(many.state[25:, 0])


def test_how_far_a_runner_has_come_is_not_its_state():
    env = RobotVectorEnv(find_robot("half_cheetah"), 1, randomized=False)
    env.reset()
    reader = StateReader(env)
    # eight positions that the policy sees, nine velocities; six commands; whether it is over
    assert reader.sizes == (17, 6, 18)


def test_a_fall_is_over_only_where_the_task_says_so():
    hopper = find_robot("hopper")
    nowhere = replace(hopper, task=hopper.task | {"healthy": {}})
    ended = []
    for robot in (hopper, nowhere):
        env = RobotVectorEnv(robot, 4, randomized=False)
        recorder = Recorder(env, StateReader(env))
        env.reset()
        for _ in range(60):
            env.step(np.ones((4, 3)))
        ended.append(recorder.take()[0].change[:, -1].sum())
    assert ended[0] >= 4.0
    assert ended[1] == 0.0


def test_without_any_reward_the_gap_is_all_that_counts(make):
    correction = make()
    correction.learn(nothing, some(400), np.zeros(400), 1.0)
    assert correction.scale == 1.0


def test_an_angle_that_the_policy_sees_as_one_does_not_jump(pendulum):
    env = RobotVectorEnv(pendulum, 4, randomized=False)
    env.reset()
    reader = StateReader(env)
    assert reader.sizes == (3, 1, 3)
    recorder = Recorder(env, reader)
    position = np.array([3.1, -3.1, 9.4, 0.0])
    velocity = np.array([12.0, -12.0, 12.0, 0.0])
    env.sim.reset(
        np.arange(4, dtype=np.int32), position[:, None], velocity[:, None], np.zeros((4, 1))
    )
    env.step(np.zeros((4, 1)))
    step, good = recorder.take()
    assert good.all()
    np.testing.assert_allclose(step.change[:, 0], 0.01 * velocity, atol=0.01)


def test_a_log_gives_the_transitions_of_the_environment(pendulum, record):
    env = RobotVectorEnv(pendulum, 1, randomized=False)
    env.reset()
    log = record(pendulum, {}, seconds=5.0, noise=0.0)
    transitions = StateReader(env).of_log(log)
    assert len(transitions) == len(log.time) - 1
    np.testing.assert_allclose(transitions.change[:, 0], np.diff(log.position[:, 0]), atol=1e-9)
    np.testing.assert_array_equal(transitions.action, log.command[:-1])


def test_a_log_that_is_slower_than_the_controller_is_refused(pendulum, record):
    env = RobotVectorEnv(pendulum, 1, randomized=False)
    env.reset()
    log = record(pendulum, {}, seconds=5.0)
    slow = replace(log, time=log.time * 3)
    with pytest.raises(GapError, match="33 rows a second are fewer than the 100"):
        StateReader(env).of_log(slow)


def test_a_representation_of_the_target_does_not_foresee_another():
    judge = RepresentationJudge((2, 1, 2), GapSettings().estimator, seed=0)
    target = some(2000)
    target = replace(target, change=0.5 * target.state + 0.02 * target.change)
    other = replace(target, change=-0.5 * target.state)
    judge.learn(other, target, 300)
    assert judge.value(other)[0].mean() < judge.value(target)[0].mean() - 0.05
    assert abs(judge.value(target)[0].mean()) < 0.01


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "reward"}, "a target is missing"),
        ({"method": "reward", "logs": ("a",), "changed": CHANGED}, "not both"),
        ({"method": "reward", "logs": ("a",), "engine": "bullet"}, "not both"),
        ({"method": "mix", "logs": ("a",)}, "which logs do not hold"),
        ({"keep": 0.0}, "keep must be in"),
        ({"steps": 0}, "at least 1"),
        ({"strength": -1.0}, "above 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        GapSettings(**wrong)


def test_diagnoses_name_what_is_wrong():
    assert not warnings({"sa_accuracy": 0.6, "clipped": 0.0, "known": 0.9, "delta_r": -0.1}, 0.9)
    assert "separable" in warnings({"sa_accuracy": 0.95}, 0.1)[0]
    assert "saturated" in warnings({"clipped": 0.5}, 0.1)[0]
    assert "overlap" in warnings({"known": 0.2}, 0.1)[0]
    assert "global gap" in warnings({"delta_r": -0.6}, 0.9)[0]
    assert "unforeseen" in warnings({"foreseen": 0.05}, 0.9)[0]
    assert not warnings({"delta_r": -0.6}, 0.1)  # it may still find a way
