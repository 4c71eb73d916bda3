"""A dynamics model that adapts, from the command line."""

import dataclasses
import shutil

import pytest

from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import connected
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulated_robot import SimulatedRobot

TINY = (
    "--dynamics.robots", "4", "--dynamics.seconds", "1", "--dynamics.hidden", "8",
    "--fit.steps", "3", "--adaptation.window", "8",
)  # fmt: skip


def test_it_writes_the_model_and_its_errors(sim2real, tmp_path):
    done = sim2real("adapt", "pendulum", *TINY, "--output", "model", "--json")
    assert done.code == 0, done.err
    assert len(done.json["adapted"]) == len(done.json["seconds"]) == 20
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"job.toml", "dynamics.pt", "horizon.json", "horizon.png"}


def test_a_job_file_is_read_again_and_a_model_is_never_overwritten(sim2real, tmp_path):
    assert sim2real("adapt", "pendulum", *TINY, "--output", "model").code == 0
    again = sim2real("adapt", "model/job.toml", "--output", "model")
    assert again.code == 2
    assert "holds a model already" in again.err
    assert sim2real("adapt", "model/job.toml", "--output", "other").code == 0
    assert (tmp_path / "other/job.toml").read_text() == (tmp_path / "model/job.toml").read_text()


def test_a_model_of_a_floating_base_predicts_but_is_no_controller(sim2real, tmp_path):
    done = sim2real("adapt", "ant", *TINY, "--output", "model")
    assert done.code == 0, done.err
    refused = sim2real("export", "model")
    assert refused.code == 2
    assert "'ant': a controller that plans on a model needs a robot whose joints" in refused.err
    assert not (tmp_path / "model/controller.onnx").exists()


def test_a_wrong_robot_is_named_with_the_near_one(sim2real):
    done = sim2real("adapt", "pendulm")
    assert done.code == 2
    assert "did you mean 'pendulum'" in done.err


PLANNER = ("--planner.horizon", "3", "--planner.candidates", "12", "--planner.iterations", "1")


@pytest.fixture
def exported(sim2real, tmp_path):
    """An adaptive controller of the pendulum at 20 Hz, as every verb gets it."""
    done = sim2real("adapt", "pendulum", *TINY, "--control-hz", "20", "--output", "model")
    assert done.code == 0, done.err
    done = sim2real("export", "model", "--output", "adaptive.onnx", *PLANNER, "--json")
    assert done.code == 0, done.err
    assert done.json["deviation"] <= 1e-5
    return tmp_path / "adaptive.onnx"


@pytest.fixture
def slow(tmp_path):
    """The folder of that pendulum."""
    shutil.copytree(find_robot("pendulum").folder, tmp_path / "slow")
    path = tmp_path / "slow" / "robot.toml"
    path.write_text(path.read_text().replace("control_hz = 100", "control_hz = 20"))
    return path.parent


def test_a_controller_that_adapts_goes_through_every_verb_like_any_other(
    sim2real, exported, slow, tmp_path
):
    checked = sim2real("check", exported, "--robot", slow, "--json")
    assert checked.code == 0, checked.out
    assert checked.json["deviation"] <= 1e-5
    told = sim2real("inspect", exported, "--json").json
    assert {"count.unadapted", "measured", "plan"} <= told["initial_state"].keys()
    low, high = told["seen"]["velocity"]
    assert low[0] < 0.0 < high[0]  # where a pendulum was, and not for ever
    assert high[0] < 100.0
    assert sim2real("diff", exported, exported).code == 0

    robot = Robot.load(slow)
    turns = dataclasses.replace(robot, control_hz=200.0)
    driver = SimulatedRobot(robot, MujocoSimulator(turns, 1))
    controller, path = Controller.load(exported, robot), tmp_path / "run.mcap"
    with connected(driver), Recorder(path, robot, origin=controller.origin) as recorder:
        summary = run(controller, driver, seconds=2.0, clock=driver, recorder=recorder)
    assert (summary.ended, summary.ticks) == ("done", 40)
    assert summary.counts.keys() == {"unadapted", "unknown", "kept_plan"}
    again = sim2real("replay", path, "--robot", slow, "--controller", exported, "--json")
    assert again.code == 0, again.out
    assert again.json["difference"] is None
    shadow = sim2real("deploy", exported, "--robot", slow, "--log", path, "--json")
    assert shadow.code == 0, shadow.err
    assert shadow.json[0]["counts"].keys() == summary.counts.keys()
