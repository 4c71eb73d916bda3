"""Adaptive randomization from the command line and from launch files."""

import numpy as np
import pytest

from sim2real.parameters.posterior import Posterior
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator

LAUNCH = """
robot = "pendulum"
steps = 64
nthread = 1
evaluation_envs = 2

[ppo]
num_envs = 8
rollout_steps = 8
hidden = [4]

[adaptive]
algorithm = "{algorithm}"
parameters = ["body.bob.mass"]
"""


@pytest.fixture
def log(tmp_path):
    """Write the pendulum's motion under a torque to a CSV file, and a recipe that reads it."""
    folder = tmp_path / "swing"
    folder.mkdir()
    time = np.arange(400) * 0.01
    command = 1.2 * np.sin(2 * np.pi * 0.7 * time) + 0.4 * np.sin(2 * np.pi * 1.9 * time)
    sim, zero = MujocoSimulator(find_robot("pendulum"), 1), np.zeros((1, 1))
    sim.reset(np.zeros(1, np.int32), zero, zero, zero)
    rows = []
    for t, u in zip(time, command, strict=True):
        rows.append(f"{t:.4f},{sim.position[0, 0]:.9f},{u:.9f}")
        sim.step(np.array([[u]]))
    (folder / "log.csv").write_text("\n".join(["t,q,tau", *rows]) + "\n")
    (folder / "recipe.toml").write_text(
        'robot = "pendulum"\n[parameters]\n"body.bob.mass" = { prior = { scale = [0.5, 1.6] } }\n'
        '[columns]\ntime = { column = "t", unit = "s" }\n'
        '[columns.joints.pivot]\nposition = { column = "q", unit = "rad" }\n'
        'command = { column = "tau", unit = "Nm" }\n[logs]\nfit = ["*.csv"]\n'
    )
    return folder


def test_train_reads_the_adaptive_table_and_options_go_over_it(sim2real, tmp_path):
    (tmp_path / "job.toml").write_text(LAUNCH.format(algorithm="adr"))
    outcome = sim2real(
        "train", "job.toml", "--output", "run", "--adaptive.adr.step", "0.2", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert "step = 0.2" in (tmp_path / "run" / "job.toml").read_text()
    text = (tmp_path / "run" / "randomize.toml").read_text()
    assert '"body.bob.mass"' in text


def test_train_searches_ranges_and_goes_on_with_a_search(sim2real, tmp_path):
    bayrn = '[adaptive.bayrn]\ntarget = "pendulum"\nrounds = 2\ninitial = 2\n'
    (tmp_path / "job.toml").write_text(LAUNCH.format(algorithm="bayrn") + bayrn)
    outcome = sim2real("train", "job.toml", "--output", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert len(outcome.json["returns"]) == 2
    again = sim2real("train", "run", "--resume", "--json")
    assert again.json["returns"] == outcome.json["returns"]
    assert sim2real("train", "job.toml", "--output", "run").code == 2
    exported = sim2real("export", outcome.json["best"], "--output", "best.onnx")
    assert exported.code == 0, exported.err


def test_match_writes_a_posterior_that_training_draws_from(sim2real, log, tmp_path):
    options = ("--rounds", 6, "--worlds", 30, "--nthread", 1)
    outcome = sim2real("match", log, log, *options, "--output", "posterior.toml")
    assert outcome.code == 0, outcome.err
    assert "body.bob.mass" in outcome.out
    posterior = Posterior.load(tmp_path / "posterior.toml")
    assert posterior.mean[0] == pytest.approx(0.546, rel=0.1)
    (tmp_path / "job.toml").write_text(LAUNCH.format(algorithm="epopt"))
    trained = sim2real(
        "train", "job.toml", "--output", "run", "--posterior", "posterior.toml", "--json"
    )
    assert trained.code == 0, trained.err


def test_match_reads_a_launch_file(sim2real, log, tmp_path):
    (tmp_path / "match.toml").write_text(
        f'recipe = "{log}"\nlogs = ["{log}"]\nmethod = "epopt"\nworlds = 30\nnthread = 1\n'
    )
    outcome = sim2real("match", "match.toml", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["error"][1] < 0.05  # at the mean
    assert (tmp_path / "runs" / "pendulum-epopt" / "posterior.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["match", "pendulm", "log.csv"], "did you mean 'pendulum'"),
        (["match", "pendulum"], "no logs to match"),
        (["match", "pendulum", "nowhere.mcap"], "no such log"),
        (["match", "nowhere.toml"], "no such file"),
        (
            ["train", "pendulum", "--adaptive.algorithm", "adr", "--no-randomized"],
            "randomized = true",
        ),
    ],
)
def test_mistakes_are_explained(sim2real, arguments, says):
    outcome = sim2real(*arguments)
    assert outcome.code == 2
    assert says in " ".join(outcome.err.split())
