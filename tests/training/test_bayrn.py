"""A search of ranges, each tried by a whole training."""

import dataclasses
import json

import numpy as np
import pytest

from sim2real import config
from sim2real.errors import ConfigError, ParameterError
from sim2real.randomization.adaptive.bayrn import BayRnSettings
from sim2real.randomization.adaptive.settings import AdaptiveSettings
from sim2real.training.bayrn import on_robot, search
from sim2real.training.job import Job, PPOSettings
from sim2real.training.run import train
from sim2real.training.saved import load_policy

JOB = Job(
    robot="pendulum", steps=64, evaluate_every=9, evaluation_envs=2, nthread=1,
    adaptive=AdaptiveSettings(
        algorithm="bayrn",
        parameters=("body.bob.mass",),
        bayrn=BayRnSettings(rounds=4, initial=2, target="pendulum"),
    ),
    ppo=PPOSettings(num_envs=8, rollout_steps=8, hidden=(4,)),
)  # fmt: skip


def width(run):
    """Return minus the width of a run's range: what this target pays for."""
    low, high = config.read_toml(run / "randomize.toml")["randomize"]["body.bob.mass"]["set"]
    return np.array([low - high])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return search(JOB, folder, width)


def test_each_round_is_a_training_under_its_own_range(whole):
    assert whole.finished
    assert len(whole.returns) == 4
    ranges = []
    for number, earned in enumerate(whole.returns):
        run = whole.folder / f"round-{number:03}"
        assert load_policy(run)
        assert width(run) == earned
        job = config.load(Job, run / "job.toml")
        assert job.ranges == str(run / "randomize.toml")
        assert job.seed == JOB.seed
        ranges.append(earned)
    assert len(set(ranges)) == 4
    assert whole.best == whole.folder / f"round-{np.argmax(whole.returns):03}"


def test_a_search_that_was_interrupted_goes_on_to_the_same_end(whole, tmp_path):
    tried = []

    def interrupted(run):
        if len(tried) == 2:
            raise KeyboardInterrupt
        tried.append(run)
        return width(run)

    with pytest.raises(KeyboardInterrupt):
        search(JOB, tmp_path, interrupted)
    assert len(json.loads((tmp_path / "search.json").read_text())["returns"]) == 2
    assert search(JOB, tmp_path, width).returns == whole.returns
    assert search(JOB, tmp_path, interrupted).returns == whole.returns  # nothing left to do


def test_the_ranges_of_a_run_can_be_trained_on_again(whole, tmp_path):
    from sim2real.training.build import robot_of

    path = whole.folder / "round-000" / "randomize.toml"
    job = dataclasses.replace(JOB, adaptive=AdaptiveSettings(), ranges=str(path))
    table = config.read_toml(path)["randomize"]
    assert robot_of(job).ranges["body.bob.mass"].to_toml() == table["body.bob.mass"]
    path = tmp_path / "other.toml"
    path.write_text("[randomise]\n")
    with pytest.raises(ConfigError, match="did you mean 'randomize'"):
        robot_of(dataclasses.replace(job, ranges=str(path)))


def test_policies_are_tried_in_the_same_worlds_of_the_target(whole):
    returns = on_robot(JOB)
    run = whole.folder / "round-000"
    first = returns(run)
    assert first.shape == (2,)
    np.testing.assert_array_equal(first, returns(run))


def test_what_cannot_be_searched_is_refused(whole, tmp_path):
    with pytest.raises(ConfigError, match="search of another job"):
        search(dataclasses.replace(JOB, seed=1), whole.folder, width)
    with pytest.raises(ConfigError, match=r"call sim2real\.training\.bayrn\.search"):
        train(JOB, tmp_path)
    nowhere = dataclasses.replace(JOB.adaptive, bayrn=BayRnSettings())
    with pytest.raises(ConfigError, match="target is missing"):
        on_robot(dataclasses.replace(JOB, adaptive=nowhere))
    other = dataclasses.replace(JOB.adaptive, bayrn=BayRnSettings(target="hopper"))
    with pytest.raises(ConfigError, match="other joints"):  # before anything is trained
        on_robot(dataclasses.replace(JOB, adaptive=other))
    wrong = dataclasses.replace(JOB.adaptive, parameters=("body.bob.mas",))
    with pytest.raises(ParameterError, match="did you mean"):
        search(dataclasses.replace(JOB, adaptive=wrong), tmp_path / "wrong", width)
    assert not (tmp_path / "wrong").exists()
