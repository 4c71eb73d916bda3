"""`sim2real excite`: the motion is designed, shown, and played."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim2real.deploy.recording import read_recording
from sim2real.shipped import find_robot

RECIPE = """\
robot = "pendulum"
[parameters]
"body.bob.mass" = { prior = { scale = [0.5, 1.5] } }
"joint.pivot.damping" = { prior = { set = { log_uniform = [0.01, 0.2] } } }
[excitation]
seconds = 3.0
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe"


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """The folder of a pendulum that is controlled ten times a second, so that time is no matter."""
    shutil.copytree(find_robot("pendulum").folder, tmp_path / "slow")
    text = (tmp_path / "slow" / "robot.toml").read_text()
    text = text.replace("control_hz = 100", "control_hz = 10")
    (tmp_path / "slow" / "robot.toml").write_text(text)
    return tmp_path / "slow"


@pytest.fixture
def address(tmp_path: Path, slow: Path):
    """Where its virtual robot listens."""
    path = tmp_path / "robot.txt"
    command = [sys.executable, "-m", "sim2real", "robot", slow, "--nominal", "--rate", "50"]
    command += ["--engine", "mujoco", "--address", "127.0.0.1:0"]
    with path.open("w") as output:
        process = subprocess.Popen(command, stderr=output)
        try:
            found, end = None, time.monotonic() + 60.0
            while found is None:
                assert process.poll() is None, path.read_text()
                assert time.monotonic() < end, path.read_text()
                time.sleep(0.05)
                found = re.search(r"listens at (\S+:\d+)", path.read_text())
            yield found[1]
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_the_motion_is_shown_with_what_it_would_tell(sim2real, recipe):
    told = sim2real("excite", recipe, "--candidates", "3", "--nthread", "1")
    assert told.code == 0, told
    assert "3 motions compared" in " ".join(told.out.split())
    assert "body.bob.mass" in told.out


def test_the_motion_is_played_and_recorded(sim2real, recipe, slow, address, tmp_path):
    for attempt in range(6):  # it trips where measurements are late, as on a machine that is busy
        path = tmp_path / f"{attempt}.mcap"
        told = sim2real(
            "excite", recipe, "--robot", slow, "--candidates", "3", "--nthread", "1",
            "--address", address, "--from-start", "--output", path, "--json",
        )  # fmt: skip
        said = json.loads(told.out)
        if said["played"]["ended"] == "done":
            break
    else:
        pytest.fail(f"it never ran to the end: {said['played']['reason']}")
    assert set(said["narrowed"]) == {"body.bob.mass", "joint.pivot.damping"}
    assert all(0.0 < share < 1.0 for share in said["narrowed"].values())
    log, _ = read_recording(path)
    assert log.seconds[-1] > 2.8
    assert abs(log.command).max() <= 0.5 * 2.0 + 1e-9  # the recipe's amplitude of the limit


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--candidates", "0"), "candidates"), (("--seconds", "-1"), "seconds"),
     (("--seconds", "0"), "seconds"), (("--seconds", "nan"), "seconds"),
     (("--seconds", "0.4"), "longer than a window")],
)  # fmt: skip
def test_an_impossible_design_is_refused(sim2real, recipe, options, says):
    told = sim2real("excite", recipe, *options)
    assert told.code == 2
    assert told.err.startswith("error: ")
    assert says in told.err
