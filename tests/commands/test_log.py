"""`sim2real log`, and what the verbs say of logs that cannot be right."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

RECIPE = """\
robot = "pendulum"
[parameters]
"body.bob.mass" = { prior = { scale = [0.5, 1.5] } }
[columns]
time = { column = "t", unit = "s" }
[columns.joints.pivot]
position = { column = "q", unit = "rad" }
velocity = { column = "v", unit = "rad/s" }
command = { column = "tau", unit = "Nm" }
"""


@pytest.fixture
def swing(tmp_path: Path):
    """Write 6 s of a nominal pendulum's swing, changed by factors; return the file's name."""

    def write(q: float = 1.0, v: float = 1.0, tau: float = 1.0) -> str:
        from sim2real.shipped import find_robot
        from sim2real.sim.mujoco_batch import MujocoSimulator

        (tmp_path / "recipe").mkdir(exist_ok=True)
        (tmp_path / "recipe" / "recipe.toml").write_text(RECIPE)
        sim = MujocoSimulator(find_robot("pendulum"), 1)
        zero = np.zeros((1, 1))
        sim.reset(np.zeros(1, np.int32), zero, zero, zero)
        lines = ["t,q,v,tau"]
        for i in range(600):
            torque = 1.5 * np.sin(2 * np.pi * 0.8 * i * 0.01) + 0.4 * np.sin(9.0 * i * 0.01)
            position, velocity = float(sim.position[0, 0]), float(sim.velocity[0, 0])
            lines.append(
                f"{0.01 * i:.2f},{q * position!r},{v * velocity!r},{float(tau * torque)!r}"
            )
            sim.step(np.array([[torque]]))
        (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
        return "log.csv"

    return write


@pytest.fixture
def refuses(sim2real, tmp_path: Path):
    """Check that a call ends with exit code 2 and one line that says these words, and no file."""

    def check(*arguments: str, says: tuple[str, ...]) -> None:
        before = set(tmp_path.rglob("*"))
        outcome = sim2real(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.err.splitlines()[-1].startswith("error: ")
        for words in says:
            assert words in outcome.err
        assert set(tmp_path.rglob("*")) == before

    return check


def test_it_tells_rate_ranges_and_draws(sim2real, swing, tmp_path):
    told = sim2real("log", swing(), "--recipe", "recipe", "--picture", "log.png", "--json")
    assert told.code == 0, told
    facts = json.loads(told.out)
    assert facts["measurements"]["rate"] == pytest.approx(100.0)
    assert facts["measurements"]["rows"] == 600
    assert [channel["joint"] for channel in facts["channels"]] == ["pivot"]
    assert facts["problems"] == []
    assert (tmp_path / "log.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_recipe_it_lists_columns_and_guesses_no_unit(sim2real, swing):
    told = sim2real("log", swing(), "--json")
    assert told.code == 0, told
    facts = json.loads(told.out)
    assert [item["name"] for item in facts["contents"]] == ["t", "q", "v", "tau"]
    assert facts["contents"][0]["range"] == pytest.approx([0.0, 5.99])
    assert "unit" not in told.out


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ({"q": 57.3, "v": 57.3}, ("degrees", 'unit = "deg"')),
        ({"q": 57.3}, ("velocity", "degrees")),
        ({"q": -1.0, "v": -1.0}, ("sign", "'pivot'", "scale = -1")),
        ({"tau": -1.0}, ("sign", "'pivot'", "scale = -1")),
        ({"v": -1.0}, ("velocity", "opposite", "scale = -1")),
        ({"q": 0.0, "v": 0.0}, ("nothing moves", "constant")),
        ({"v": 0.0}, ("velocity", "leave it out")),
    ],
)
def test_a_log_that_is_read_wrong_is_refused(sim2real, refuses, swing, factors, says):
    path = swing(**factors)
    refuses("calibrate", "recipe", path, "--output", "out", says=(*says, "logs.accept"))
    told = sim2real("log", path, "--recipe", "recipe")
    assert told.code == 2
    assert "measurements: 600 rows" in told.out  # it is shown all the same
    assert all(words in told.err for words in says)


def test_a_calibration_is_shown_also_if_it_is_not_published(sim2real, swing, tmp_path):
    swing()
    text = (tmp_path / "recipe" / "recipe.toml").read_text()
    (tmp_path / "recipe" / "recipe.toml").write_text(text + "[windows]\nhorizons = [0.5]\n")
    rows = (tmp_path / "log.csv").read_text().splitlines()
    (tmp_path / "check.csv").write_text("\n".join([rows[0], *rows[301:]]) + "\n")
    (tmp_path / "log.csv").write_text("\n".join(rows[:301]) + "\n")
    call = ("calibrate", "recipe", "--logs", "log.csv", "--nthread", "1")
    told = sim2real(*call, "--publish", "7")
    assert told.code == 2
    assert "body.bob.mass" in told.out
    assert "not published as '7': no log was held out" in told.err
    assert not (tmp_path / "calibration").exists()
    told = sim2real(*call, "--held-out", "check.csv", "--publish", "7", "--no-report", "--json")
    better = json.loads(told.out)["improves"]
    assert told.code == (0 if better else 2)
    assert (tmp_path / "calibration" / "pendulum" / "7").exists() == better
    told = sim2real(*call, "--held-out", "log.csv")
    assert told.code == 2
    assert "which is fitted" in told.err


def test_a_long_name_is_folded_not_cut(monkeypatch):
    from sim2real.calibration.estimate import Estimate
    from sim2real.commands import calibrate

    name = "runs.payload: joint.shoulder_lift.frictionloss"
    row = Estimate(name=name, nominal=0.123456, value=0.123456, interval=(0.011111, 0.999999),
                   verdict="identified")  # fmt: skip
    drawn = io.StringIO()
    monkeypatch.setattr(calibrate, "console", Console(file=drawn, width=80))
    calibrate._show_parameters(SimpleNamespace(estimates=[row]))  # type: ignore[arg-type]
    lines = drawn.getvalue().splitlines()
    parts = [line[: lines[0].index("nominal")].strip() for line in lines[1:]]
    assert "".join(parts).replace(" ", "") == name.replace(" ", "")
    assert "0.01111 to 1" in lines[1]


def test_what_the_recipe_accepts_is_read_all_the_same(sim2real, swing, tmp_path):
    path = swing(v=-1.0)
    (tmp_path / "recipe" / "recipe.toml").write_text(RECIPE + '[logs]\naccept = ["sign"]\n')
    assert sim2real("log", path, "--recipe", "recipe").code == 0


def test_a_file_that_is_no_log_is_refused(refuses, tmp_path):
    (tmp_path / "log.xlsx").touch()
    refuses("log", "log.xlsx", says=("format '.xlsx'", ".csv", ".mcap"))
    refuses("log", "gone.csv", says=("no such file",))
    (tmp_path / "folder").mkdir()
    refuses("log", "folder", says=("none that rosbag2 wrote", "metadata.yaml"))
    (tmp_path / "text.mcap").write_text("no recording")
    refuses("log", "text.mcap", says=("not an MCAP file",))
