import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from sim2real.deploy.controller import Controller
from sim2real.errors import ControllerError
from sim2real.signals import Measured

MEASURED = Measured(position=np.array([0.1]), velocity=np.array([0.0]))
GOAL = np.array([1.0])


def test_a_controller_carries_its_state_from_step_to_step(export, spec, pendulum):
    controller = Controller.load(export(spec), pendulum)
    first = controller.step(MEASURED, GOAL)
    second = controller.step(MEASURED, GOAL)
    assert first.dtype == np.float64
    np.testing.assert_allclose([first, second], [[0.8], [1.2]], atol=1e-6)


def test_reset_puts_back_the_state_and_takes_the_command_that_is_held(export, spec, pendulum):
    controller = Controller.load(export(spec), pendulum)
    controller.step(MEASURED, GOAL)
    controller.reset(np.array([0.4]))
    np.testing.assert_allclose(controller.step(MEASURED, GOAL), [1.0], atol=1e-6)


def test_loading_leaves_the_initial_state_not_that_of_the_tape(export, spec, pendulum):
    controller = Controller.load(export(spec), pendulum)
    np.testing.assert_allclose(controller.step(MEASURED, GOAL), [0.8], atol=1e-6)
    assert controller.goal == (0.5,)
    assert controller.origin["made"] == {"seed": 3}


def test_a_controller_without_a_goal_needs_none(export, spec, pendulum):
    inputs = {name: rows for name, rows in spec.golden.inputs.items() if name != "goal"}
    tape = dataclasses.replace(spec.golden, inputs=inputs)
    controller = Controller.load(export(spec, goal=(), golden=tape), pendulum)
    assert controller.goal == ()
    np.testing.assert_allclose(controller.step(MEASURED, np.zeros(0)), [0.8], atol=1e-6)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ControllerError, match=r"nothing\.onnx: cannot be read"):
        Controller.load(tmp_path / "nothing.onnx", None)


def test_a_file_that_is_not_onnx_is_refused(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("not a graph")
    with pytest.raises(ControllerError, match="not a sealed controller"):
        Controller.load(path, None)


def test_an_onnx_file_without_a_specification_is_refused(export):
    with pytest.raises(ControllerError, match="not a sealed controller"):
        Controller.load(export(None), None)


def test_a_controller_of_other_joints_is_refused(export, spec, arm):
    with pytest.raises(ControllerError, match="made for the robot 'pendulum' with joints pivot"):
        Controller.load(export(spec), arm)


def test_a_controller_of_another_rate_is_refused(export, spec, pendulum):
    faster = dataclasses.replace(pendulum, control_hz=200)
    with pytest.raises(ControllerError, match="control_hz"):
        Controller.load(export(spec), faster)


@pytest.mark.parametrize("error", [2e-5, 1.0])
def test_a_tampered_tape_is_refused(export, spec, error):
    command = ((spec.golden.command[0][0] + error,), *spec.golden.command[1:])
    path = export(spec, golden=dataclasses.replace(spec.golden, command=command))
    with pytest.raises(ControllerError, match="does not replay"):
        Controller.load(path, None)


def test_an_empty_tape_proves_nothing_and_is_refused(export, spec):
    inputs = dict.fromkeys(spec.golden.inputs, ())
    path = export(spec, golden=dataclasses.replace(spec.golden, inputs=inputs, command=()))
    with pytest.raises(ControllerError, match="golden tape has no"):
        Controller.load(path, None)


def test_a_state_that_the_specification_lacks_is_refused(export, spec):
    tape = dataclasses.replace(
        spec.golden, state={"command": (0.25,)}, final_state={"command": (0.0,)}
    )
    path = export(spec, initial_state={"command": (0.0,)}, golden=tape)
    with pytest.raises(ControllerError, match=r"state\.steps .* should be absent"):
        Controller.load(path, None)


def test_a_state_that_the_graph_lacks_is_refused(export, spec):
    states = {**spec.initial_state, "memory": (0.0, 0.0)}
    with pytest.raises(ControllerError, match=r"state\.memory is missing"):
        Controller.load(export(spec, initial_state=states), None)


def test_a_goal_of_another_size_is_refused(export, spec):
    with pytest.raises(ControllerError, match=r"goal is .*\[1, 1\].* should be .*\[1, 2\]"):
        Controller.load(export(spec, goal=(0.5, 0.5)), None)


def test_the_deploy_runtime_needs_neither_torch_nor_a_simulator():
    code = (
        "import sys, sim2real.deploy.controller, sim2real.deploy.loop, sim2real.deploy.excitation,"
        " sim2real.deploy.drivers.udp, sim2real.deploy.robot_side.udp_robot,"
        " sim2real.deploy.recording;"
        "print([m for m in ('torch', 'mujoco', 'onnx', 'mcap', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
