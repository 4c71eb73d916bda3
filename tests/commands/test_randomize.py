"""`sim2real randomize`: tables, pictures, and logs judged from the command line."""

import numpy as np
import pytest

from sim2real.commands.console import console

COLUMNS = """
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


@pytest.fixture(scope="module")
def swing():
    """A pendulum's motion under a torque: rows of time, position, velocity, torque."""
    from sim2real.deploy.excitation import Excitation
    from sim2real.shipped import find_robot
    from sim2real.sim.mujoco_batch import MujocoSimulator

    robot = find_robot("pendulum")
    sim = MujocoSimulator(robot, 1)
    rng, rows = np.random.default_rng(0), []
    for i, torque in enumerate(Excitation(robot, seconds=3.0, amplitude=0.7).signal):
        q, v = sim.position[0, 0], sim.velocity[0, 0]
        rows.append([0.01 * i, q + 0.002 * rng.normal(), v + 0.05 * rng.normal(), torque[0]])
        sim.step(torque[None])
    return np.array(rows)


@pytest.fixture
def log(tmp_path, swing):
    """Write the motion as CSV beside its recipe; some cells replaced."""

    def write(header="t,q,v,tau", **cells):
        rows = [[f"{x:.5f}" for x in row] for row in swing]
        for name, (row, text) in cells.items():
            rows[row][["t", "q", "v", "tau"].index(name)] = text
        (tmp_path / "log.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n")
        (tmp_path / "recipe").mkdir(exist_ok=True)
        (tmp_path / "recipe" / "recipe.toml").write_text(COLUMNS)
        return "log.csv"

    return write


@pytest.fixture
def refuses(sim2real, tmp_path):
    def check(*arguments, says):
        before = set(tmp_path.rglob("*"))
        outcome = sim2real("randomize", *arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in outcome.err
        for words in says:
            assert words in outcome.err
        assert set(tmp_path.rglob("*")) == before

    return check


def test_the_table_as_json(sim2real):
    rows = {row["name"]: row for row in sim2real("randomize", "pendulum", "--json").json}
    mass = rows["body.bob.mass"]
    assert (mass["nominal"], mass["unit"]) == (0.546, "kg")
    assert mass["low"] == pytest.approx(0.2184)
    assert mass["drawn"] == "scale [0.4, 1.6]"
    assert "actuator.pivot.delay" in rows


def test_the_table_for_people(sim2real, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    shown = sim2real("randomize", "pendulum").out
    assert "joint.pivot.damping" in shown
    assert "Nm s/rad" in shown


@pytest.mark.parametrize("name", ["pendulum", "hopper"])
def test_a_page_of_the_worlds_stands_alone(sim2real, tmp_path, name):
    outcome = sim2real(
        "randomize", name, "--show", "--worlds", "4", "--seconds", "2", "--output", "a/w.html",
        "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert {"picture", "diverged", "parameters"} <= outcome.json.keys()
    page = (tmp_path / "a" / "w.html").read_text()
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl", ""
    ).replace("http://creativecommons", "")
    assert "<script" not in page


def test_a_picture_of_the_worlds(sim2real, tmp_path):
    outcome = sim2real(
        "randomize", "pendulum", "--show", "--worlds", "3", "--seconds", "2", "--output", "w.png"
    )
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_a_log_inside_the_ranges_is_covered(sim2real, tmp_path, log):
    outcome = sim2real(
        "randomize", "pendulum", "--coverage", log(), "--recipe", "recipe", "--worlds", "110",
        "--horizon", "0.2", "--output", "c.html", "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    facts = outcome.json
    assert facts["verdict"] in ("about right", "too wide")
    assert [signal["name"] for signal in facts["signals"]] == ["pivot position", "pivot velocity"]
    assert facts["logs"] == ["log.csv"]
    assert facts["not_tested"] == ["joint.pivot.position_noise", "joint.pivot.velocity_noise"]
    assert (tmp_path / "c.html").read_text().count("<svg") == 2


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"q": (50, "nan")}, ("not finite", "row 50", "repair or cut")),
        ({"t": (50, "0.31")}, ("time runs backward in row 50",)),
        ({"header": "t,angle,v,tau"}, ("no column 'q'",)),
    ],
)
def test_a_damaged_log_is_refused(refuses, log, cells, says):
    path = log(**cells)
    refuses("pendulum", "--coverage", path, "--recipe", "recipe", "--output", "c.html",
            says=("log.csv", *says))  # fmt: skip


def test_a_csv_without_a_recipe_is_refused(refuses, log):
    refuses("pendulum", "--coverage", log(), says=("log.csv", "[columns]"))


def test_a_log_of_another_robot_is_refused(refuses, log):
    refuses("hopper", "--coverage", log(), "--recipe", "recipe", says=("'pivot'", "hopper"))


def test_a_log_without_motion_is_refused(refuses, log, tmp_path):
    path = log()
    rows = "\n".join(f"{0.01 * i:.2f},0,0,0" for i in range(300))
    (tmp_path / path).write_text(f"t,q,v,tau\n{rows}\n")
    refuses("pendulum", "--coverage", path, "--recipe", "recipe", says=("nothing moves", "accept"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--show", "--output", "w.pdf"), (".html", ".png")),
        (("--show", "--worlds", "1"), ("--worlds 1", "at least 2")),
        (("--coverage", "no.mcap"), ("no.mcap", "no such file")),
        (("--coverage", "no.mcap", "--worlds", "50"), ("50", "102")),
        (("--coverage", "no.mcap", "--horizon", "0"), ("horizon", "above 0")),
        (("--show", "--coverage", "no.mcap"), ("one at a time",)),
        (("--posterior", "no.toml"), ("no.toml", "no such file")),
    ],
)
def test_wrong_options_are_refused(refuses, options, says):
    refuses("pendulum", *options, says=says)
