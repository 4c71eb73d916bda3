"""What the command says: help, results for scripts, and one clear error for each bad input."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sim2real.cli import VERBS
from sim2real.commands.console import console
from sim2real.errors import ConfigError
from sim2real.training.job import find_job
from sim2real.training.saved import load_checkpoint, load_policy

ROBOT = """
model = "arm.xml"
control_hz = 50
[task]
name = "swing_up"
[joints.hinge]
mode = "torque"
limits = { torque = 0.6, velocity = 20.0 }
[randomize]
"body.link.mass" = { scale = [0.8, 1.2] }
"""
MODEL = """
<mujoco><option timestep="0.002"/><worldbody><body name="link">
<joint name="hinge" axis="0 1 0" damping="0.1"/>
<geom type="capsule" fromto="0 0 0 0 0 -0.4" size="0.02" mass="0.5"/>
</body></worldbody></mujoco>
"""
RECIPE = """
robot = "pendulum"
[parameters]
"body.bob.mass" = { prior = { scale = [0.5, 1.5] } }
[columns]
time = { column = "t", unit = "s" }
[columns.joints.pivot]
position = { column = "q", unit = "rad" }
command = { column = "tau", unit = "Nm" }
"""
MASS = '"body.link.mass" = { scale = [0.8, 1.2] }'
FREE_PORT = "127.0.0.1:9"  # discard: nothing listens there


def robot_folder(where: Path, old: str = "", new: str = "", model: str | None = MODEL) -> Path:
    folder = where / "my_arm"
    folder.mkdir()
    (folder / "robot.toml").write_text(ROBOT.replace(old, new) if old else ROBOT)
    if model is not None:
        (folder / "arm.xml").write_text(model)
    return folder


def recipe_folder(where: Path, old: str = "", new: str = "") -> Path:
    folder = where / "my_recipe"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE.replace(old, new) if old else RECIPE)
    return folder


def log(where: Path, header: str = "t,q,tau", **cells: tuple[int, str]) -> Path:
    """Write two seconds of a swinging pendulum; `t=(7, "0.06")` replaces that row's time."""
    time = np.arange(200) * 0.01
    rows = [[f"{t:.2f}", f"{np.sin(3 * t):.4f}", f"{np.cos(3 * t):.4f}"] for t in time]
    for name, (row, text) in cells.items():
        rows[row][["t", "q", "tau"].index(name)] = text
    path = where / "log.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def refuses(sim2real, tmp_path):
    """Check that a call ends with exit code 2, one line that says these words, and no file."""

    def check(*arguments: object, says: tuple[str, ...]) -> str:
        before = files(tmp_path)
        outcome = sim2real(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.startswith("error: "), outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        for words in says:
            assert words in outcome.err
        assert files(tmp_path) == before
        return outcome.err

    return check


# ---------------------------------------------------------------------------------------- help


def test_the_overview_names_every_verb(sim2real):
    outcome = sim2real("--help")
    assert outcome.code == 0
    for verb, text in VERBS.items():
        assert verb in outcome.out
        assert text in outcome.out


def test_the_command_alone_shows_the_overview_and_fails(sim2real):
    outcome = sim2real()
    assert outcome.code == 2
    assert "usage: sim2real VERB" in outcome.out


@pytest.mark.parametrize(
    ("verb", "mentions"),
    [
        ("robots", ["ROBOT", "--parameters", "--json"]),
        ("randomize", ["ROBOT", "--show", "--coverage", "LOG", "--recipe", "--horizon", "--json"]),
        ("sensitivity", ["POLICY", "--robot", "--suite", "--episodes", "--output", "--json"]),
        ("train", ["TARGET", "--output", "--resume", "--steps", "--seed", "--posterior",
                   "--ppo.gamma", "--sac.tau", "--json"]),
        ("export", ["RUN", "--output", "--c", "--json"]),
        ("robot", ["ROBOT", "--engine", "{bullet,mujoco}", "--seed", "--truth", "--address"]),
        ("serve", ["ROBOT", "--feetech", "--ros2", "--domain", "{array,trajectory}", "--key"]),
        ("preflight", ["CONTROLLER", "--robot", "--address", "--goal", "--json"]),
        ("deploy", ["CONTROLLER", "--robot", "--address", "--record", "--goal", "--shadow",
                    "--page", "--live", "--realtime", "--trips", "--json"]),
        ("replay", ["RECORDING", "--robot", "--controller", "--json"]),
        ("record", ["ROBOT", "--output", "--signal", "--amplitude", "--band", "--json"]),
        ("calibrate", ["RECIPE", "LOG", "--held-out", "--output", "--json"]),
        ("match", ["TARGET", "LOG", "--method", "--simopt.kl", "--output", "--json"]),
        ("report", ["FOLDER", "--output", "--json"]),
        ("demo", ["--logs", "--recipe", "--output", "--seed"]),
    ],
)  # fmt: skip
def test_help_is_readable(sim2real, verb, mentions):
    outcome = sim2real(verb, "--help")
    assert outcome.code == 0
    assert f"usage: sim2real {verb}" in outcome.out
    for option in mentions:
        assert option in outcome.out
    assert "STR\n" not in outcome.out
    text = " ".join(outcome.out.replace("│", " ").split())
    left = text.replace("(default: None)", "")  # of a job, whose text is the library's
    # of a switch that comes as a pair, --a.x and --a.no-x, it says which of them holds
    pair = r"(--((?:[\w-]+\.)*)([\w-]+), --\2no-\3 (?:(?! --).)*?)\(default: False\)"
    left = re.sub(pair, r"\1", left)
    for jargon in ("None", "Traceback", "(default: False)"):
        assert jargon not in left
    assert outcome.err == ""


def test_help_of_a_target_shows_the_targets_own_defaults(sim2real):
    shown = " ".join(sim2real("train", "pendulum", "--help").out.replace("│", " ").split())
    job = find_job("pendulum")
    assert f"in all environments together. (default: {job.ppo.steps})" in shown
    assert f"--ppo.gamma FLOAT (default: {job.ppo.gamma})" in shown


# ------------------------------------------------------------------------------- a wrong name


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["trian", "pendulum"], "train"),
        (["robots", "pendulm"], "pendulum"),
        (["train", "pendulm"], "pendulum"),
        (["randomize", "pendulm"], "pendulum"),
        (["randomize", "pendulum", "--coverage", "x.csv", "--recipe", "pendulm"], "pendulum"),
        (["robot", "hoper"], "hopper"),
        (["record", "so100", "--output", "x.mcap"], "so101"),
        (["deploy", "x.onnx", "--robot", "pendulm"], "pendulum"),
        (["preflight", "x.onnx", "--robot", "pendulm"], "pendulum"),
        (["calibrate", "pendulm", "log.csv"], "pendulum"),
        (["demo", "--recipe", "pendulm"], "pendulum"),
    ],
)
def test_a_wrong_name_suggests_the_near_one(refuses, arguments, near):
    refuses(*arguments, says=(f"did you mean '{near}", "known: "))


def test_a_wrong_option_suggests_the_near_one(sim2real):
    outcome = sim2real("train", "pendulum", "--stpes", "3")
    assert outcome.code == 2
    assert "--stpes" in outcome.err
    assert "--steps" in outcome.err


def test_a_value_of_the_wrong_kind_is_refused(sim2real):
    outcome = sim2real("train", "pendulum", "--seed", "x")
    assert outcome.code == 2
    assert "--seed" in outcome.err


# ------------------------------------------------------------------------------ a wrong robot


def test_a_robot_folder_without_a_model_is_refused(refuses, tmp_path):
    folder = robot_folder(tmp_path, model=None)
    refuses("robots", folder, says=("no model file", "arm.xml"))
    refuses("train", folder, says=("no model file", "arm.xml"))


def test_a_folder_that_is_no_robot_is_refused(refuses, tmp_path):
    refuses("train", tmp_path, says=(str(tmp_path), "no robot.toml"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("control_hz", "contrl_hz", ("unknown key", "did you mean 'control_hz'")),
        ("velocity = 20.0", "velocty = 20.0", ("unknown key", "did you mean 'velocity'")),
        ("control_hz = 50", 'control_hz = "50 Hz"', ("control_hz", "'50 Hz' is not a number")),
        ("torque = 0.6", "torque = -0.6", ("torque -0.6", "above 0")),
        ('"swing_up"', '"swing_upp"', ("swing_upp", "did you mean 'swing_up'")),
        ('"torque"', '"torqe"', ("torqe", "did you mean 'torque'")),
        (MASS, '"body.link.mass" = { scale = [1.2, 0.8] }', ("body.link.mass", "inverted")),
        (MASS, '"body.link.mass" = { set = [-0.5, 0.5] }', ("body.link.mass", "possible")),
        (MASS, '"body.lnk.mass" = { scale = [0.8, 1.2] }', ("body.lnk", "did you mean 'link'")),
        (MASS, '"body.link.mas" = { scale = [1, 2] }', ("body.mas", "did you mean 'body.mass'")),
        (MASS, '"mass" = { scale = [0.8, 1.2] }', ("mass", "kind.object.attribute")),
        ("[joints.hinge]", "[joints.hnge]", ("hnge", "did you mean 'hinge'")),
        ("[task]", "[task", ("robot.toml", "not valid TOML")),
    ],
)  # fmt: skip
def test_a_wrong_robot_is_refused_before_anything_is_written(refuses, tmp_path, old, new, says):
    folder = robot_folder(tmp_path, old, new)
    refuses("train", folder, "--steps", "100", "--output", "run", says=says)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("control_hz", "contrl_hz"),
        ("torque = 0.6", "torque = -0.6"),
        (MASS, '"body.link.mass" = { scale = [1.2, 0.8] }'),
    ],
)
def test_an_error_in_a_robots_file_names_the_file(refuses, tmp_path, old, new):
    folder = robot_folder(tmp_path, old, new)
    refuses("robots", folder, says=(str(folder / "robot.toml"),))


def test_a_model_that_is_no_model_is_refused(refuses, tmp_path):
    folder = robot_folder(tmp_path, model="<mujoco><worldbody>")
    refuses("train", folder, "--output", "run", says=("arm.xml",))


# -------------------------------------------------------------------------------- a wrong job


def test_a_job_with_an_unknown_key_is_refused(refuses, tmp_path):
    (tmp_path / "job.toml").write_text('robot = "pendulum"\n[ppo]\ngama = 0.9\n')
    refuses("train", "job.toml", says=("job.toml", "unknown key", "did you mean 'gamma'"))


def test_a_job_that_is_not_there_is_refused(refuses):
    refuses("train", "nowhere.toml", says=("nowhere.toml", "no such file"))


def test_a_posterior_that_is_not_there_is_refused(refuses):
    refuses(
        "train", "pendulum", "--output", "run", "--posterior", "no.toml",
        says=("no.toml", "no such file"))  # fmt: skip


@pytest.mark.parametrize("option", ["--steps", "--nthread", "--evaluation-envs"])
def test_a_job_of_nothing_is_refused(refuses, option):
    refuses("train", "pendulum", option, "0", "--output", "run", says=("at least 1",))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ppo.num-envs", "0"], "num_envs = 0 must be at least 1"),
        (["--ppo.rollout-steps", "0"], "rollout_steps = 0"),
        (["--ppo.epochs", "0"], "epochs = 0"),
        (["--ppo.minibatches", "100000"], "more than the num_envs x rollout_steps"),
        (["--ppo.hidden"], "hidden = ()"),
        (["--ppo.hidden", "64", "0"], "hidden = (64, 0)"),
        (["--ppo.learning-rate", "nan"], "learning_rate = nan"),
        (["--ppo.init-std", "-1"], "init_std = -1.0"),
        (["--ppo.gamma", "2"], "gamma = 2.0 must be in [0, 1]"),
        (["--ppo.entropy", "nan"], "entropy = nan"),
        (["--algorithm", "sac", "--sac.batch-size", "0"], "batch_size = 0"),
        (["--algorithm", "sac", "--sac.gamma", "nan"], "gamma = nan"),
        (["--algorithm", "sac", "--sac.buffer-size", "0"], "learning_starts"),
    ],
)
def test_an_impossible_setting_of_the_algorithm_is_refused(refuses, options, says):
    refuses("train", "pendulum", *options, "--output", "run", says=(says,))


def test_a_list_of_a_robots_parameters_checks_its_ranges(refuses, tmp_path):
    folder = robot_folder(tmp_path, MASS, '"body.lnk.mass" = { scale = [0.8, 1.2] }')
    refuses("robots", folder, "--parameters", says=("body.lnk", "did you mean 'link'"))


def test_a_delay_beyond_all_memory_is_refused(refuses, tmp_path):
    folder = robot_folder(tmp_path, MASS, '"actuator.hinge.delay" = { set = [0.0, 1e9] }')
    refuses("robots", folder, "--parameters", says=("delay", "at most 10 s"))


def test_a_narrow_terminal_folds_what_is_randomized(sim2real, monkeypatch):
    monkeypatch.setattr(console, "width", 60)
    shown = sim2real("randomize", "pendulum").out
    assert "…" not in shown
    assert "0.05047" in shown


def test_resuming_nothing_is_refused(refuses, tmp_path):
    refuses("train", tmp_path, "--resume", says=(str(tmp_path), "no run to resume"))
    refuses("train", "pendulum", "--resume", says=("no run to resume",))


def test_a_run_is_not_overwritten(refuses, tiny_run):
    refuses("train", "pendulum", "--output", tiny_run[0], says=("holds a run already", "--resume"))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(200)])
@pytest.mark.parametrize("name", ["policy.pt", "checkpoint.pt"])
def test_a_damaged_file_of_a_run_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    read = load_policy if name == "policy.pt" else load_checkpoint
    with pytest.raises(ConfigError, match=f"{name}: damaged"):
        read(tmp_path)


def test_exporting_nothing_is_refused(refuses, tmp_path):
    refuses("export", tmp_path, says=("not a training run", "train first"))


# -------------------------------------------------------------------------- a wrong log or recipe


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"q": (50, "nan")}, ("not finite", "row 50", "repair or cut")),
        ({"tau": (50, "")}, ("not finite", "row 50")),
        ({"t": (50, "nan")}, ("time in row 50 is not finite",)),
        ({"t": (50, "0.49")}, ("time repeats in row 50",)),
        ({"t": (50, "0.31")}, ("time runs backward in row 50",)),
    ],
)  # fmt: skip
def test_a_damaged_log_is_refused_with_its_row(refuses, tmp_path, cells, says):
    path, recipe = log(tmp_path, **cells), recipe_folder(tmp_path)
    refuses("calibrate", recipe, path, "--output", "out", says=(str(path), *says))


def test_a_log_without_a_column_is_refused(refuses, tmp_path):
    path, recipe = log(tmp_path, header="t,q,torque"), recipe_folder(tmp_path)
    refuses("calibrate", recipe, path, says=(str(path), "no column 'tau'", "torque"))


def test_a_row_that_breaks_off_is_refused(refuses, tmp_path):
    path, recipe = log(tmp_path), recipe_folder(tmp_path)
    path.write_text(path.read_text() + "2.0,0.1\n")
    refuses("calibrate", recipe, path, says=("row 200 has 2 values", "names 3"))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_that_are_parted_otherwise_are_said_to_be_so(refuses, tmp_path, mark):
    path, recipe = log(tmp_path), recipe_folder(tmp_path)
    path.write_text(path.read_text().replace(",", mark))
    refuses("calibrate", recipe, path, says=(repr(mark), "commas between"))
    refuses("log", path, says=(repr(mark), "commas between"))


def test_an_impossible_seed_is_refused_and_a_recipe_may_be_named_by_its_file(refuses, tmp_path):
    path, recipe = log(tmp_path), recipe_folder(tmp_path) / "recipe.toml"
    refuses("calibrate", recipe, path, "--seed", "-1", says=("seed = -1",))
    refuses("calibrate", recipe, path, "--nthread", "0", says=("nthread = 0",))


@pytest.mark.parametrize("text", ["", "t,q,tau\n"])
def test_an_empty_log_is_refused(refuses, tmp_path, text):
    path, recipe = log(tmp_path), recipe_folder(tmp_path)
    path.write_text(text)
    refuses("calibrate", recipe, path, says=(str(path),))


def test_a_log_of_an_unknown_format_is_refused(refuses, tmp_path):
    path, recipe = log(tmp_path).rename(tmp_path / "log.xlsx"), recipe_folder(tmp_path)
    refuses("calibrate", recipe, path, says=(".xlsx", ".csv"))


def test_a_recording_that_is_none_is_refused(refuses, tmp_path):
    path, recipe = log(tmp_path).rename(tmp_path / "log.mcap"), recipe_folder(tmp_path)
    refuses("calibrate", recipe, path, says=("not an MCAP file",))


def test_a_log_of_a_robot_at_rest_is_refused(refuses, tmp_path):
    path, recipe = log(tmp_path), recipe_folder(tmp_path)
    rows = "\n".join(f"{0.01 * i:.2f},0,0" for i in range(200))
    path.write_text(f"t,q,tau\n{rows}\n")
    refuses("calibrate", recipe, path, "--output", "out", says=("mo",))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"rad"', '"degrees"', ("'degrees'", "did you mean 'deg'")),
        ('"rad"', '"Nm"', ("'Nm' is no unit of angle", "known: rad")),
        ('unit = "Nm"', 'scale = 2.0', ("'unit' is missing",)),
        ("joints.pivot", "joints.pivto", ("pivto", "did you mean 'pivot'")),
        ("body.bob.mass", "body.bbo.mass", ("bbo", "did you mean 'bob'")),
        ("prior = {", "priro = {", ("unknown key", "did you mean 'prior'")),
        ("[0.5, 1.5]", "[1.5, 0.5]", ("body.bob.mass", "inverted")),
        ("[0.5, 1.5] }", "[0.5, 1.5] }, bounds = [-2.0, -1.0]", ("body.bob.mass", "physical")),
        ("[0.5, 1.5] }", "[0.5, 1.5] }, bounds = [2.0, 1.0]", ("bounds [2.0, 1.0]", "[low, high]")),
        ('robot = "pendulum"', 'robot = "pendulm"', ("did you mean 'pendulum'",)),
        ("[columns]", "[column]", ("unknown key 'column'", "did you mean 'columns'")),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_refused(refuses, tmp_path, old, new, says):
    recipe, path = recipe_folder(tmp_path, old, new), log(tmp_path)
    refuses("calibrate", recipe, path, "--output", "out", says=says)


def test_what_could_not_be_written_is_refused_before_the_fit(refuses, tmp_path):
    recipe, path = recipe_folder(tmp_path), log(tmp_path)
    (tmp_path / "file").touch()
    refuses("calibrate", recipe, path, "--output", "file", says=("file is a file", "give a folder"))
    refuses("calibrate", recipe, path, "--output", "file/x", says=("file is a file",))
    refuses("calibrate", recipe, path, "--publish", "../x", says=("'../x'", "no path"))


def test_logs_that_are_not_there_are_refused(refuses, tmp_path):
    refuses("calibrate", recipe_folder(tmp_path), "no.csv", says=("no such log", "no.csv"))
    refuses("calibrate", tmp_path / "my_recipe", says=("no logs to fit",))
    (tmp_path / "empty").mkdir()
    refuses("calibrate", tmp_path / "my_recipe", tmp_path / "empty", says=("no log matches",))


# ------------------------------------------------------------------- a wrong controller or link


def test_a_controller_of_another_robot_is_refused(refuses, controller):
    refuses(
        "deploy", controller, "--robot", "hopper",
        says=("made for the robot 'pendulum'", "this is 'hopper'"))  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09" * 50])
def test_a_file_that_is_no_controller_is_refused(refuses, tmp_path, content):
    path = tmp_path / "controller.onnx"
    path.write_bytes(content)
    refuses("deploy", path, "--robot", "pendulum", says=(str(path), "not an ONNX file"))


def test_a_controller_that_is_not_there_is_refused(refuses):
    refuses("deploy", "no.onnx", "--robot", "pendulum", says=("no.onnx", "cannot be read"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (FREE_PORT, ("no robot answers", FREE_PORT, "sim2real robot")),
        ("localhost", ("'localhost' is no address", "host:port")),
        ("::1:9870", ("'::1:9870' is no address", "IPv4")),
    ],
)
def test_a_link_that_is_not_there_is_refused(refuses, controller, address, says):
    refuses(
        "deploy", controller, "--robot", "pendulum", "--address", address, "--record", "rec",
        says=says)  # fmt: skip
    refuses("record", "pendulum", "--address", address, "--output", "rec/a.mcap", says=says)


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1"])
def test_a_time_that_is_none_is_refused_before_anything_moves(refuses, controller, seconds):
    option, says = f"--seconds={seconds}", (f"--seconds {float(seconds)}", "finite time above 0")
    refuses("deploy", controller, "--robot", "pendulum", option, says=says)
    refuses("record", "pendulum", "--output", "a.mcap", option, says=says)
    refuses("excite", "pendulum", option, says=says)
    refuses("robot", "pendulum", option, says=says)
    refuses("serve", "so101", "--feetech", "/dev/null", option, says=says)


@pytest.mark.parametrize("rate", ["0", "0.001", "99"])
def test_a_virtual_robot_slower_than_its_controller_is_refused(refuses, rate):
    refuses("robot", "pendulum", "--rate", rate, says=(f"--rate {rate}", "100 times a second"))


def test_a_recording_is_not_overwritten(refuses, controller, tmp_path):
    (tmp_path / "episode-2.mcap").write_bytes(b"precious")
    refuses(
        "deploy", controller, "--robot", "pendulum", "--episodes", "3", "--record", tmp_path,
        says=("episode-2.mcap exists", "not overwritten"))  # fmt: skip


# ------------------------------------------------------------------------------ a wrong folder


def test_a_report_of_nothing_is_refused(refuses, tmp_path):
    refuses("report", tmp_path, says=("nothing to report",))
    refuses("report", tmp_path / "nowhere", says=("nowhere",))


def test_a_demo_does_not_touch_a_folder_that_is_not_empty(refuses, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    refuses("demo", "--output", tmp_path, says=("not empty", "--output"))
    refuses("demo", "--output", tmp_path / "precious.txt", says=("is a file",))


def test_a_demo_of_logs_that_are_not_there_is_refused(refuses):
    refuses("demo", "--logs", "nowhere", "--recipe", "pendulum", says=("--logs nowhere",))


def test_a_file_in_place_of_a_folder_is_refused(refuses, tmp_path):
    (tmp_path / "file").write_text("mine")
    refuses("train", "pendulum", "--steps", "9", "--output", "file/run", says=("file",))


# ------------------------------------------------------------------------- results for scripts


def test_robots_as_json(sim2real):
    outcome = sim2real("robots", "--json")
    assert {"hopper", "pendulum", "so101"} <= {robot["name"] for robot in outcome.json}
    assert outcome.err == ""


def test_one_robot_as_json(sim2real):
    pendulum = sim2real("robots", "pendulum", "--json").json
    assert pendulum["joints"] == ["pivot"]
    assert pendulum["randomize"]["body.bob.mass"] == {"scale": [0.4, 1.6]}


def test_parameters_as_json(sim2real):
    rows = sim2real("robots", "pendulum", "--parameters", "--json").json
    mass = next(row for row in rows if row["name"] == "body.bob.mass")
    assert mass["nominal"] == pytest.approx(0.546)
    assert mass["unit"] == "kg"


def test_robots_for_people(sim2real):
    shown = sim2real("robots", "pendulum").out
    assert "scale [0.4, 1.6]" in shown
    assert "set log_uniform [0.01, 0.25]" in shown


def test_train_and_export_print_json_and_nothing_else_on_stdout(tiny_run):
    folder, trained, exported = tiny_run
    assert trained.code == 0, trained.err
    assert trained.json["finished"]
    assert trained.json["steps"] == 512
    assert exported.code == 0, exported.err
    assert exported.json["deviation"] <= 1e-5
    assert (folder / "controller.onnx").is_file()


def test_progress_is_shown_beside_the_results(tiny_run):
    assert "steps" in tiny_run[1].err


def test_resuming_what_is_finished_changes_nothing(sim2real, tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run[0], run)
    outcome = sim2real("train", run, "--resume", "--json")
    assert outcome.code == 0
    assert outcome.json["evaluation"] == tiny_run[1].json["evaluation"]
    assert outcome.json["steps"] == 512


def test_options_may_stand_before_the_target(sim2real, tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run[0], run)
    assert sim2real("train", "--resume", run).code == 0
