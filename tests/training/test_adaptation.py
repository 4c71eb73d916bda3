"""Randomization that adapts while a policy learns."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from sim2real import config, shipped
from sim2real.envs.episodes import Episodes
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError, ParameterError
from sim2real.randomization.adaptive.adr import ADRSettings
from sim2real.randomization.adaptive.algorithm import Adaptive, Source
from sim2real.randomization.adaptive.doraemon import DORAEMONSettings
from sim2real.randomization.adaptive.epopt import EPOptSettings
from sim2real.randomization.adaptive.settings import AdaptiveSettings
from sim2real.robot import Robot
from sim2real.training.adaptation import Adaptation
from sim2real.training.job import Job, PPOSettings, SACSettings
from sim2real.training.ppo import PPOTrainer
from sim2real.training.run import train
from sim2real.training.saved import load_checkpoint

ADAPTIVE = {
    "adr": AdaptiveSettings(
        algorithm="adr",
        parameters=("body.bob.mass", "joint.pivot.damping"),
        adr=ADRSettings(performance="return", lower=-1e9, upper=-1e8, episodes=2, step=0.2),
    ),
    "doraemon": AdaptiveSettings(
        algorithm="doraemon", doraemon=DORAEMONSettings(return_threshold=-1e9, episodes=16)
    ),
    "epopt": AdaptiveSettings(algorithm="epopt", epopt=EPOptSettings(epsilon=0.25, burn_in=600)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A pendulum whose episodes last 20 control steps."""
    folder = tmp_path_factory.mktemp("robots") / "short"
    shutil.copytree(shipped.find_robot("pendulum").folder, folder)
    text = (folder / "robot.toml").read_text()
    (folder / "robot.toml").write_text(
        text.replace('name = "swing_up"', 'name = "swing_up"\nepisode_seconds = 0.2')
    )
    return folder


@pytest.fixture(scope="module")
def job(folder):
    return Job(
        robot=str(folder), steps=6 * 16 * 20, evaluate_every=3, evaluation_envs=2, nthread=1,
        ppo=PPOSettings(num_envs=16, rollout_steps=20, hidden=(8,)),
        sac=SACSettings(num_envs=8, iteration_steps=20, hidden=(8,), learning_starts=64,
                        batch_size=8, buffer_size=1000),
    )  # fmt: skip


def checkpoint(folder):
    return load_checkpoint(folder)


def assert_same(one, other):
    """Compare nested dictionaries, lists and arrays, bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("algorithm", "name"), [("ppo", "adr"), ("ppo", "doraemon"), ("ppo", "epopt"), ("sac", "adr")]
)
def test_a_resumed_run_equals_one_that_never_stopped(algorithm, name, job, tmp_path):
    job = dataclasses.replace(job, algorithm=algorithm, adaptive=ADAPTIVE[name])
    train(job, tmp_path / "whole")
    half = dataclasses.replace(job, steps=job.steps // 2 - 100)
    train(half, tmp_path / "parts")
    train(job, tmp_path / "parts", resume=True)
    whole, parts = (checkpoint(tmp_path / each) for each in ("whole", "parts"))
    for part in ("env", "statistics"):
        assert_same(whole["trainer"][part], parts["trainer"][part])
    assert_same(whole["adaptation"], parts["adaptation"])
    networks = "algorithm" if algorithm == "ppo" else "parameters"
    assert_same(whole["trainer"][networks], parts["trainer"][networks])


@pytest.mark.parametrize("name", ["adr", "doraemon"])
def test_a_run_logs_the_distribution_as_it_moves_and_leaves_the_last_one(name, job, tmp_path):
    train(dataclasses.replace(job, adaptive=ADAPTIVE[name]), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    low, high = (
        np.array([line[f"adaptive/body.bob.mass/{end}"] for line in lines])
        for end in ("p05", "p95")
    )
    assert (np.diff(high - low) >= 0).all()  # every episode counts as a success
    assert (high - low)[-1] > (high - low)[0]
    assert lines[-1]["adaptive/entropy"] > lines[1].get("adaptive/entropy", -np.inf)
    table = config.read_toml(tmp_path / "randomize.toml")["randomize"]
    robot = shipped.find_robot(job.robot)
    adapted = dataclasses.replace(robot, randomize=table)
    assert adapted.ranges.keys() == robot.ranges.keys()
    law = adapted.ranges["body.bob.mass"].distribution
    assert law.quantile(np.array([0.05, 0.95])) == pytest.approx([low[-1], high[-1]])
    assert config.load(Job, tmp_path / "job.toml").adaptive == ADAPTIVE[name]


def test_adr_starts_with_the_nominal_robot(job, folder):
    env = RobotVectorEnv(Robot.load(folder), 4)
    Adaptation.of(env, ADAPTIVE["adr"])
    env.reset()
    names = env.randomizer.names
    for name in ("body.bob.mass", "joint.pivot.damping"):
        column = names.index(name)
        nominal = env.randomizer.parameters.nominal[column]
        np.testing.assert_allclose(env.values[:, column], nominal)
    other = names.index("actuator.pivot.gain")  # not chosen: as declared
    assert len({*env.values[:, other]}) == 4


class Listening(Adaptive):
    """Notes what it is shown, and moves to another source after every second round."""

    names = ("body.bob.mass",)

    def __init__(self, sources):
        self.seen, self._sources = [], sources

    @property
    def source(self):
        return self._sources[len(self.seen) // 2]

    def observe(self, values, returns, success):
        self.seen.append((values, returns, success))
        return self.source

    def metrics(self):
        return {}

    def state_dict(self):
        return {}

    def load_state_dict(self, data):
        pass


@pytest.fixture
def listening(folder):
    env = RobotVectorEnv(Robot.load(folder), 3)
    declared = env.randomizer.ranges["body.bob.mass"]
    sources = [Source(ranges={"body.bob.mass": declared}) for _ in range(9)]
    algorithm = Listening(sources)
    return env, algorithm, Adaptation(env, algorithm)


def tell(env, rows):
    """Tell of episodes (environment, episode, return) that ended together."""
    environment, episode, returns = map(np.array, zip(*rows, strict=True))
    n, p = len(rows), len(env.randomizer.names)
    episodes = Episodes(
        seed=0, environment=environment, episode=episode, progress=np.zeros(n),
        values=np.tile(returns[:, None], (1, p)), returns=returns.astype(float),
        steps=np.ones(n, np.int64), success=returns > 0, diverged=returns < 0,
    )  # fmt: skip
    for listener in env.listeners:
        listener(episodes)


def test_a_round_is_one_episode_of_each_environment_whichever_ended_first(listening):
    env, algorithm, _ = listening
    tell(env, [(0, 0, 1.0)])
    tell(env, [(0, 1, 2.0), (1, 0, 3.0)])
    assert not algorithm.seen
    tell(env, [(0, 2, 4.0), (2, 0, 5.0)])
    ((values, returns, success),) = algorithm.seen
    np.testing.assert_array_equal(returns, [1.0, 3.0, 5.0])
    np.testing.assert_array_equal(values, [[1.0], [3.0], [5.0]])
    assert success.all()
    tell(env, [(1, 1, 6.0), (2, 1, 7.0)])
    np.testing.assert_array_equal(algorithm.seen[1][1], [2.0, 6.0, 7.0])


def test_episodes_of_the_distribution_before_do_not_count(listening):
    env, algorithm, _ = listening
    for episode in range(2):
        env.episode[:] = episode
        tell(env, [(i, episode, 1.0) for i in range(3)])
    assert len(algorithm.seen) == 2  # and the distribution has moved: present are episodes 2
    tell(env, [(0, 1, 8.0), (1, 2, 9.0), (2, 2, 9.0)])
    assert len(algorithm.seen) == 2
    tell(env, [(0, 2, 9.0)])
    np.testing.assert_array_equal(algorithm.seen[2][1], [9.0, 9.0, 9.0])


def test_an_episode_that_diverged_says_nothing(listening):
    env, algorithm, _ = listening
    tell(env, [(0, 0, -1.0), (1, 0, 3.0), (2, 0, 5.0)])
    assert not algorithm.seen
    tell(env, [(0, 1, 2.0)])
    np.testing.assert_array_equal(algorithm.seen[0][1], [2.0, 3.0, 5.0])


def test_what_moves_at_the_end_of_an_episode_holds_for_the_next_one(folder):
    """All environments end together: were the next worlds drawn first, a round would be lost."""
    env = RobotVectorEnv(Robot.load(folder), 16)
    settings = dataclasses.replace(ADAPTIVE["adr"], adr=dataclasses.replace(
        ADAPTIVE["adr"].adr, boundary=1.0))  # fmt: skip
    Adaptation.of(env, settings)
    env.reset()
    assert len({*env.values[:, 0]}) == 1
    for _ in range(20):
        env.step(np.zeros((16, 1), np.float32))
    assert (env.steps == 0).all()
    assert len({*env.values[:, 0]}) > 1


def test_the_policy_learns_from_whole_episodes_of_the_lowest_returns(folder):
    """The steps that are left are found again by replaying the actions in the same worlds."""
    settings = PPOSettings(num_envs=12, hidden=(8,), minibatches=3)
    env, twin = (RobotVectorEnv(Robot.load(folder), 12, seed=4) for _ in range(2))
    trainer = PPOTrainer(env, settings, 0, worst=EPOptSettings(epsilon=0.25, burn_in=0))
    with torch.inference_mode():
        steps, logged = trainer._collect_episodes(trainer._worst)
    storage = trainer._algorithm.storage
    assert steps == storage.num_transitions_per_env == 20

    twin.reset(), twin.reset()  # the trainer's own start, and that of the rollout
    returns = np.zeros(12)
    for action in storage.actions.numpy():
        returns += twin.step(action)[1]
    chosen = returns <= np.quantile(returns, 0.25)
    assert 0 < chosen.sum() < 12
    kept = ~storage._left_out.numpy()
    np.testing.assert_array_equal(kept, np.tile(chosen, (20, 1)))
    assert logged["epopt/worst"] == pytest.approx(returns[chosen].mean(), rel=1e-5)
    assert logged["epopt/all"] == pytest.approx(returns.mean(), rel=1e-5)

    raw = (storage.returns - storage.values)[..., 0]  # of all: the worst are worse than that
    expected = ((raw - raw.mean()) / raw.std(correction=0))[:, chosen]
    torch.testing.assert_close(storage.advantages[:, chosen, 0], expected, rtol=1e-4, atol=1e-5)
    rows = torch.cat([batch.actions for batch in storage.mini_batch_generator(3, 1)])
    allowed = {tuple(row) for row in storage.actions[:, chosen].flatten(0, 1).tolist()}
    assert len(rows) == 20 * chosen.sum() // 3 * 3
    assert {tuple(row) for row in rows.tolist()} <= allowed


def test_an_episode_that_ends_early_is_learned_from_until_its_end(folder):
    robot = Robot.load(folder)
    joint = dataclasses.replace(
        robot.joints["pivot"],
        limits=dataclasses.replace(robot.joints["pivot"].limits, velocity=0.6),
    )  # faster is a failure of the task
    env = RobotVectorEnv(dataclasses.replace(robot, joints={"pivot": joint}), 12, seed=4)
    trainer = PPOTrainer(
        env, PPOSettings(num_envs=12, hidden=(8,)), 0, worst=EPOptSettings(epsilon=1.0)
    )
    with torch.inference_mode():
        steps, _ = trainer._collect_episodes(trainer._worst)
    storage = trainer._algorithm.storage
    done = storage.dones[..., 0].numpy().astype(bool)
    lengths = done.argmax(axis=0) + 1
    assert lengths.min() < lengths.max() == steps
    kept = ~storage._left_out.numpy()
    np.testing.assert_array_equal(kept, np.arange(steps)[:, None] < lengths)


def test_the_burn_in_learns_from_all_episodes(folder):
    env = RobotVectorEnv(Robot.load(folder), 4)
    settings = PPOSettings(num_envs=4, hidden=(8,))
    trainer = PPOTrainer(env, settings, 0, worst=EPOptSettings(epsilon=0.25, burn_in=81))
    first, second, third = (trainer.iterate() for _ in range(3))
    for metrics in (first, second):
        assert metrics["epopt/worst"] == metrics["epopt/all"]
    assert third["epopt/worst"] < third["epopt/all"]


def test_normalization_follows_burn_in_and_holds_still_while_the_worst_are_learned_from(folder):
    env = RobotVectorEnv(Robot.load(folder), 8)
    settings = PPOSettings(num_envs=8, hidden=(8,), minibatches=2)
    trainer = PPOTrainer(env, settings, 0, worst=EPOptSettings(epsilon=0.25, burn_in=1))
    normalizer = trainer._algorithm.actor.obs_normalizer
    assert int(normalizer.count) == 0
    trainer.iterate()
    seen = trainer.steps
    assert int(normalizer.count) == seen
    mean = normalizer.mean
    assert mean.abs().max() > 0.0
    trainer.iterate()
    assert int(normalizer.count) == seen
    torch.testing.assert_close(normalizer.mean, mean, rtol=0.0, atol=0.0)


def test_a_job_refuses_what_cannot_adapt(job, tmp_path):
    with pytest.raises(ConfigError, match="epopt needs algorithm"):
        dataclasses.replace(job, algorithm="sac", adaptive=ADAPTIVE["epopt"])
    with pytest.raises(ConfigError, match="randomized = true"):
        dataclasses.replace(job, randomized=False, adaptive=ADAPTIVE["adr"])
    wrong = AdaptiveSettings(algorithm="adr", parameters=("body.bob.mas",))
    with pytest.raises(ParameterError, match=r"did you mean 'body\.bob\.mass'"):
        train(dataclasses.replace(job, adaptive=wrong), tmp_path)
    assert not (tmp_path / "job.toml").exists()


def test_a_launch_file_chooses_the_algorithm(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(
        'robot = "pendulum"\n[adaptive]\nalgorithm = "doraemon"\n'
        'parameters = ["body.bob.mass"]\n[adaptive.doraemon]\nsuccess_rate = 0.7\n'
    )
    adaptive = config.load(Job, path).adaptive
    assert adaptive.algorithm == "doraemon"
    assert adaptive.doraemon.success_rate == 0.7
    path.write_text('robot = "pendulum"\n[adaptive]\nalgorithm = "doreamon"\n')
    with pytest.raises(ConfigError, match="did you mean 'doraemon'"):
        config.load(Job, path)
