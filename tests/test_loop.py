"""The whole loop as one would type it, small: train, export, drive a robot, calibrate, report."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sim2real.shipped import find_robot

RECIPE = """
robot = "pendulum"
[parameters]
"body.bob.mass" = { prior = { scale = [0.5, 1.5] } }
"joint.pivot.damping" = { prior = { set = { log_uniform = [0.01, 0.2] } } }
"""


def sim2real(folder: Path, *arguments: object, codes: tuple[int, ...] = (0,)) -> str:
    """Return what the command says on stdout."""
    command = [sys.executable, "-m", "sim2real", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout


def drive(folder: Path, recording: str, *arguments: object, option: str) -> Any:
    """Return what a run on the robot says, which leaves `recording`.

    The runtime trips when measurements are late, as they are where many processes share a core.
    That is right, but not what is tested here: such a run is done again.
    """
    for attempt in range(6):
        target = f"{attempt}-{recording}"
        said = json.loads(sim2real(folder, *arguments, option, target, "--json", codes=(0, 1)))
        (summary,) = said if isinstance(said, list) else [said]
        if summary["ended"] == "done":
            break
    else:
        pytest.fail(f"it never ran to the end: {summary['reason']}")
    (folder / target).rename(folder / recording)
    return summary


def free_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def virtual_robot(folder: Path, engine: str) -> Iterator[str]:
    """Run a virtual pendulum in another process; yield its address."""
    address, truth = free_address(), folder / "truth.json"
    truth.unlink(missing_ok=True)
    options = ("--engine", engine, "--address", address, "--truth", str(truth), "--seed", "3")
    process = subprocess.Popen(
        [sys.executable, "-m", "sim2real", "robot", "pendulum", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not truth.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert truth.exists(), process.communicate(timeout=5)[1]
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A folder in which every verb has done its part, and what each said as JSON."""
    folder = tmp_path_factory.mktemp("loop")
    said: dict[str, Any] = {}

    def call(name: str, *arguments: object) -> None:
        said[name] = json.loads(sim2real(folder, *arguments, "--json"))

    call(
        "train", "train", "pendulum", "--output", "wide", "--steps", "2048", "--nthread", "1",
        "--ppo.num-envs", "32", "--ppo.rollout-steps", "16", "--evaluation-envs", "4",
    )  # fmt: skip
    call("export", "export", "wide", "--output", "wide.onnx")
    deploy = ("deploy", "wide.onnx", "--robot", "pendulum", "--seconds", "0.5")
    with virtual_robot(folder, "mujoco") as address:
        said["deploy on mujoco"] = drive(
            folder, "other", *deploy, "--address", address, option="--record"
        )
    with virtual_robot(folder, "bullet") as address:
        said["deploy"] = drive(
            folder, "wide-on-robot", *deploy, "--address", address, option="--record"
        )
        said["record"] = drive(
            folder, "excitation.mcap", "record", "pendulum", "--address", address, "--from-start",
            "--seconds", "3", "--band", "0.4", "1.5", option="--output",
        )  # fmt: skip
    (folder / "recipe").mkdir()
    (folder / "recipe" / "recipe.toml").write_text(RECIPE)
    call(
        "calibrate", "calibrate", "recipe", "excitation.mcap", "--output", "calibration",
        "--nthread", "1",
    )  # fmt: skip
    call("report", "report", ".")
    return folder, said


def test_a_policy_is_trained_and_exported(results):
    folder, said = results
    assert said["train"]["finished"]
    assert said["train"]["steps"] == 2048
    assert (folder / "wide" / "policy.pt").is_file()
    assert said["export"]["deviation"] <= 1e-5
    assert (folder / "wide.onnx").is_file()


@pytest.mark.parametrize(
    ("step", "recording"),
    [("deploy on mujoco", "other"), ("deploy", "wide-on-robot")],
)
def test_a_controller_runs_on_a_virtual_robot_of_either_engine(results, step, recording):
    folder, said = results
    assert said[step]["seconds"] > 0.4
    assert (folder / recording / "episode-1.mcap").is_file()


def test_an_excitation_is_recorded(results):
    from sim2real.deploy.recording import read_recording

    folder, said = results
    assert said["record"]["seconds"] > 2.5  # late steps are skipped, not made up for
    trajectory, metadata = read_recording(folder / "excitation.mcap")
    assert trajectory.joints == ("pivot",)
    assert trajectory.seconds[-1] > 2.5
    assert trajectory.position.std() > 0.05
    assert metadata["driven"] == ["pivot"]


def test_the_recording_is_calibrated_to_a_posterior(results):
    from sim2real.parameters.posterior import Posterior

    folder, said = results
    posterior = Posterior.load(folder / "calibration" / "posterior.toml")
    assert posterior.names == ("body.bob.mass", "joint.pivot.damping")
    rows = {row["name"]: row for row in said["calibrate"]["estimates"]}
    low, high = rows["body.bob.mass"]["interval"]
    assert 0.27 <= low < rows["body.bob.mass"]["value"] < high <= 0.82
    assert said["calibrate"]["windows"] > 0


def test_the_robots_true_parameters_are_written_for_comparison_only(results):
    truth = json.loads((results[0] / "truth.json").read_text())
    assert truth["engine"] == "bullet"
    low, high = find_robot("pendulum").ranges["body.bob.mass"].bounds(0.546)
    assert low <= truth["parameters"]["body.bob.mass"] <= high


def test_the_report_is_one_page_about_all_of_it(results):
    folder, said = results
    page = (folder / "report.html").read_text()
    assert "body.bob.mass" in page
    assert "<svg" in page
    assert not any(word in page for word in ("<script", 'src="http', 'href="http', "url(http"))
    (policy,) = said["report"]["policies"]
    assert policy["name"] == "wide"
    assert len(policy["episodes"]) == 1
    assert {row["name"] for row in said["report"]["parameters"]} == {
        "body.bob.mass",
        "joint.pivot.damping",
    }


def test_a_policy_is_trained_again_on_the_posterior(results):
    folder, _ = results
    said = json.loads(
        sim2real(
            folder, "train", "pendulum", "--output", "calibrated", "--steps", "512", "--nthread",
            "1", "--ppo.num-envs", "32", "--ppo.rollout-steps", "16", "--evaluation-envs", "4",
            "--posterior", "calibration/posterior.toml", "--json",
        )
    )  # fmt: skip
    assert said["finished"]
    assert (folder / "calibrated" / "policy.pt").is_file()
