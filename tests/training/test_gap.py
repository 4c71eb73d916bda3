"""Trainings with a correction for a gap, by both algorithms."""

import dataclasses
import functools
import json

import pytest
import torch

from sim2real.deploy.spec import METADATA_KEY
from sim2real.errors import ConfigError
from sim2real.gap.settings import GapSettings
from sim2real.training.job import Job, PPOSettings, SACSettings
from sim2real.training.run import train
from sim2real.training.saved import load_policy

CHANGED = {"joint.pivot.damping": 0.3}
PPO = PPOSettings(num_envs=16, rollout_steps=16, epochs=1)
SAC = SACSettings(
    num_envs=4, iteration_steps=32, learning_starts=64, batch_size=32, gradient_steps=1
)


def job(method, algorithm="ppo", steps=1024, **fields):
    settings = {"changed": CHANGED, "target_steps": 400, "steps": 5} | fields
    gap = GapSettings(method=method, **settings)
    return Job(robot="pendulum", algorithm=algorithm, steps=steps, randomized=False, nthread=1,
               evaluation_envs=4, log_worlds=False, ppo=PPO, sac=SAC, gap=gap)  # fmt: skip


def weights(folder):
    return torch.cat([value.flatten() for value in load_policy(folder).state_dict().values()])


def lines(folder):
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the folder of a training without a correction."""

    @functools.cache
    def folder(algorithm):
        path = tmp_path_factory.mktemp(algorithm) / "plain"
        train(dataclasses.replace(job("reward", algorithm), gap=GapSettings()), path)
        return path

    return folder


@pytest.mark.parametrize(
    ("method", "algorithm"),
    [
        ("reward", "ppo"), ("weight", "ppo"), ("filter", "ppo"), ("par", "ppo"),
        ("reward", "sac"), ("weight", "sac"), ("filter", "sac"), ("par", "sac"), ("mix", "sac"),
        ("residual", "ppo"), ("residual", "sac"),
    ],
)  # fmt: skip
def test_every_method_changes_what_is_learned(method, algorithm, plain, tmp_path):
    corrected = tmp_path / "corrected"
    train(job(method, algorithm), corrected)
    assert not torch.equal(weights(corrected), weights(plain(algorithm)))
    assert torch.isfinite(weights(corrected)).all()
    last = lines(corrected)[-1]
    assert 300 < last["gap/target_steps"] <= 400
    report = json.loads((corrected / "gap.json").read_text())
    assert report["method"] == method
    assert not (plain(algorithm) / "gap.json").exists()


@pytest.mark.parametrize(
    ("method", "algorithm"), [("reward", "ppo"), ("reward", "sac"), ("residual", "ppo")]
)
def test_a_stopped_training_continues_exactly(method, algorithm, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(job(method, algorithm), whole)
    train(job(method, algorithm, steps=512), parts)
    train(job(method, algorithm), parts, resume=True)
    # the share of the target's steps that a round takes follows from the budget
    assert lines(whole)[-1]["steps"] == lines(parts)[-1]["steps"]
    again = tmp_path / "again"
    train(job(method, algorithm, steps=512), again)
    train(job(method, algorithm), again, resume=True)
    assert torch.equal(weights(parts), weights(again))


def test_an_exported_policy_carries_the_digest_of_the_report(tmp_path):
    import onnx

    from sim2real.export.run import export_run
    from sim2real.gap.digest import report_digest

    report = tmp_path / "report.json"
    report.write_text('{"auc": 0.9}')
    train(job("reward", report=str(report)), tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "policy.onnx")
    model = onnx.load(tmp_path / "policy.onnx")
    (text,) = [p.value for p in model.metadata_props if p.key == METADATA_KEY]
    assert json.loads(text)["origin"]["gap"]["report"] == report_digest(report)


def test_a_report_that_is_none_is_refused_before_the_training(tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    for path, message in ((wrong, "it has no auc"), (tmp_path / "no.json", "no such file")):
        with pytest.raises(ConfigError, match=message):
            train(job("reward", report=str(path)), tmp_path / "run")


def test_a_target_with_other_joints_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="other joints"):
        train(job("reward", target="hopper", changed={}), tmp_path / "run")


def test_mixing_is_for_sac():
    with pytest.raises(ConfigError, match='mix needs algorithm = "sac"'):
        job("mix", "ppo")


def test_a_launch_file_can_ask_for_it(tmp_path):
    from sim2real import config

    path = tmp_path / "job.toml"
    path.write_text(
        'robot = "pendulum"\n[gap]\nmethod = "reward"\ntarget_steps = 500\n'
        '[gap.changed]\n"joint.pivot.damping" = 0.2\n[gap.estimator]\nnoise = 0.5\n'
    )
    loaded = config.load(Job, path)
    assert loaded.gap.changed == {"joint.pivot.damping": 0.2}
    config.save(loaded, tmp_path / "again.toml")
    assert config.load(Job, tmp_path / "again.toml") == loaded
