"""The verbs about exported files: inspect, check, diff."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest

from sim2real.deploy import seal
from sim2real.deploy.seal import UNSEALED


@pytest.fixture
def controller(tiny_run, tmp_path):
    return shutil.copy(tiny_run[0] / "controller.onnx", tmp_path / "controller.onnx")


@pytest.fixture
def edited(controller, tmp_path):
    """The controller with a weight and the goal's task edited, and sealed anew."""
    path = tmp_path / "edited.onnx"
    model = onnx.load(controller)
    (entry,) = model.metadata_props
    current = seal.check(path, controller.read_bytes())
    entry.value = entry.value.replace(current, UNSEALED).replace('"swing_up"', '"swing_down"')
    (weight,) = [t for t in model.graph.initializer if t.name.endswith("layers.0.weight")]
    values = onnx.numpy_helper.to_array(weight) * (1 + 1e-7)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    path.write_bytes(seal.sealed(model.SerializeToString()))
    return path


def test_inspect_tells_what_goes_in_and_out(sim2real, controller):
    outcome = sim2real("inspect", controller)
    assert outcome.code == 0
    for text in (
        "swing_up for pendulum",
        "position",
        "rad/s",
        "state.command",
        "± 2",
        "job.seed",
        "position pivot: anything",
        "velocity pivot: -",
    ):
        assert text in outcome.out


def test_inspect_gives_scripts_the_specification(sim2real, controller):
    facts = sim2real("inspect", controller, "--json").json
    assert facts["facts"]["control_hz"] == 100.0
    assert facts["golden_steps"] == 64
    low, high = facts["seen"]["velocity"]
    assert -30.0 < low[0] < high[0] < 30.0
    assert facts["unread"] == []


def test_a_reader_that_leaves_is_no_mistake(controller):
    command = [sys.executable, "-m", "sim2real", "inspect", controller, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # as `head` does
        said = process.stderr.read()
    assert (process.returncode, said) == (128 + signal.SIGPIPE, b"")


def test_check_passes_a_good_file_and_says_by_how_much(sim2real, controller):
    outcome = sim2real("check", controller, "--robot", "pendulum", "--json")
    assert outcome.code == 0
    assert outcome.json["ok"]
    assert outcome.json["deviation"] < 1e-6
    assert "seal intact" in sim2real("check", controller).out


def test_check_refuses_a_damaged_file_and_says_why(sim2real, controller):
    content = bytearray(controller.read_bytes())
    content[len(content) // 2] ^= 1
    controller.write_bytes(bytes(content))
    outcome = sim2real("check", controller, "--json")
    assert outcome.code == 1
    assert "seal is broken" in outcome.json["reason"]
    assert sim2real("check", controller).out.startswith("refused: ")


def test_check_refuses_the_file_of_another_robot(sim2real, controller):
    outcome = sim2real("check", controller, "--robot", "hopper", "--json")
    assert outcome.code == 1
    assert "made for the robot 'pendulum'" in outcome.json["reason"]


def test_a_file_does_not_differ_from_itself(sim2real, controller):
    outcome = sim2real("diff", controller, controller)
    assert outcome.code == 0
    assert outcome.out.split("\n")[:3] == [
        "graph: the same", "specification: the same", "behaviour: the same",
    ]  # fmt: skip


def test_diff_names_the_weight_the_value_and_the_step(sim2real, controller, edited):
    outcome = sim2real("diff", controller, edited, "--json")
    assert outcome.code == 1
    found = outcome.json
    (graph,) = found["graph"]
    assert "layers.0.weight" in graph
    assert found["specification"] == ["task: swing_up → swing_down"]
    assert 0 < found["behaviour"]["largest"]["pivot"] < 1e-5
    assert 0 <= found["behaviour"]["first"] < 256
    assert not found["same"]
    assert "pivot: " in sim2real("diff", controller, edited).out


def test_controllers_of_other_robots_are_not_compared_in_behaviour(sim2real, controller, tmp_path):
    arm = tmp_path / "arm.onnx"
    model = onnx.load(controller)
    (entry,) = model.metadata_props
    current = seal.check(arm, controller.read_bytes())
    assert entry.value.count('"driven": ["pivot"]') == 1
    entry.value = entry.value.replace(current, UNSEALED).replace(
        '"driven": ["pivot"]', '"driven": ["hinge"]'
    )
    arm.write_bytes(seal.sealed(model.SerializeToString()))
    found = sim2real("diff", controller, arm, "--json").json
    assert found["behaviour"] is None
    assert np.all(found["specification"] == ["driven.0: pivot → hinge"])


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler (cc): apt-get install gcc")
def test_an_exported_file_is_written_as_c(sim2real, controller, tmp_path):
    outcome = sim2real("export", controller, "--c", "policy.c", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["c"]["deviation"] <= 1e-5
    assert "policy_step" in (tmp_path / "policy.h").read_text()


def test_exporting_what_is_exported_needs_a_reason(sim2real, controller):
    outcome = sim2real("export", controller)
    assert outcome.code == 2
    assert "say --c policy.c" in " ".join(outcome.err.split())
