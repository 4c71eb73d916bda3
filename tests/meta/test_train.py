"""From a job to a model in a folder, and back."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest
import torch

from sim2real import config
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError, ParameterError
from sim2real.meta.build import build
from sim2real.meta.ensemble import Ensemble
from sim2real.meta.fit import FitSettings
from sim2real.meta.job import AdaptationSettings, DynamicsJob, DynamicsSettings, find_dynamics_job
from sim2real.meta.model_file import load_model
from sim2real.meta.scaling import Scaling
from sim2real.meta.state import StateSpace
from sim2real.meta.train import TrainedDynamics, train_dynamics

JOB = DynamicsJob(
    robot="pendulum",
    control_hz=50.0,
    randomize={"actuator.pivot.gain": {"scale": [0.0, 1.5]}},
    dynamics=DynamicsSettings(hidden=(32, 32), robots=24, seconds=2.0, rounds=2, members=2),
    adaptation=AdaptationSettings(window=16, strength=1.0),
    fit=FitSettings(steps=150, learning_rate=5e-3),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[TrainedDynamics, Path]:
    folder = tmp_path_factory.mktemp("model")
    return train_dynamics(JOB, folder), folder


def test_it_predicts_robots_it_has_not_met_and_adapting_helps(trained) -> None:
    error = trained[0].horizon
    assert error.one_step[0] < 0.7 * error.one_step[1]
    assert error.adapted[-1] < error.unadapted[-1] < error.stands_still[-1]


def test_the_saved_model_is_the_trained_one(trained) -> None:
    result, folder = trained
    model, job = load_model(folder)
    assert job == JOB
    states, commands = torch.randn(1, 4, 2), torch.randn(1, 4, 1)
    expected = result.dynamics.unadapted(1)(states, commands)
    assert torch.equal(model.unadapted(1)(states, commands), expected)
    written = json.loads((folder / "horizon.json").read_text())
    assert written["adapted"] == list(result.horizon.adapted)


def test_the_same_seed_trains_the_same_model() -> None:
    job = dataclasses.replace(JOB, fit=FitSettings(steps=3))
    assert train_dynamics(job).horizon == train_dynamics(job).horizon


def test_rounds_after_the_first_are_driven() -> None:
    asked = []

    def drive(env, dynamics):
        asked.append((env.num_envs, type(dynamics)))
        return lambda step: torch.zeros(env.num_envs, 1).numpy()

    job = dataclasses.replace(JOB, fit=FitSettings(steps=1))
    train_dynamics(job, drive=drive)
    assert asked == [(24, Ensemble)]


def test_a_damaged_model_is_refused(trained, tmp_path: Path) -> None:
    for name in ("job.toml", "dynamics.pt"):
        (tmp_path / name).write_bytes(
            (trained[1] / name).read_bytes()[: 900 if "pt" in name else None]
        )
    with pytest.raises(ConfigError, match="train it again"):
        load_model(tmp_path)


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path: Path, trained) -> None:
    (tmp_path / "job.toml").write_bytes((trained[1] / "job.toml").read_bytes())
    with pytest.raises(ConfigError, match="sim2real adapt pendulum --output"):
        load_model(tmp_path)


def test_the_first_share_of_candidates_goes_to_the_first_member() -> None:
    scaling = Scaling(StateSpace.plain(njoint=1, ncommand=1))
    both = build(scaling, DynamicsSettings(members=2), AdaptationSettings(), seed=0)
    assert isinstance(both, Ensemble)
    states, commands = torch.randn(1, 6, 2), torch.randn(1, 6, 1)
    found = both.unadapted(1)(states, commands)
    for member, rows in zip(both.models, (slice(0, 3), slice(3, 6)), strict=True):
        expected = member.unadapted(1)(states[:, rows], commands[:, rows])
        torch.testing.assert_close(found[:, rows], expected)


@pytest.mark.parametrize("name", ["half_cheetah", "pendulum"])
def test_shipped_jobs_name_parameters_that_there_are(name: str) -> None:
    job = find_dynamics_job(name)
    assert job.find_robot().ranges


def test_the_job_in_the_docs_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "meta.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    job = config.from_dict(DynamicsJob, tomllib.loads(example))
    env = RobotVectorEnv(job.find_robot(), 2)
    assert "actuator.ffoot.gain" in env.randomizer.names


def test_a_wrong_parameter_of_a_job_is_named() -> None:
    job = dataclasses.replace(JOB, randomize={"actuator.pivto.gain": {"scale": [0.5, 1.0]}})
    with pytest.raises(ParameterError, match="pivot"):
        train_dynamics(job)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (lambda: DynamicsSettings(robots=0), "robots = 0"),
        (lambda: DynamicsSettings(hidden=()), "hidden"),
        (lambda: AdaptationSettings(window=0), "window = 0"),
        (lambda: FitSettings(steps=0), "steps = 0"),
        (lambda: FitSettings(shortened=1.5), "shortened"),
    ],
)
def test_impossible_settings_are_refused(settings, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        settings()
