"""Export refuses what it cannot vouch for, and writes nothing."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from sim2real import shipped
from sim2real.deploy.controller import Controller
from sim2real.errors import ControllerError
from sim2real.export import onnx_file
from sim2real.export.graph import ControllerGraph
from sim2real.export.onnx_file import export
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy

ROBOT = shipped.find_robot("pendulum")
TASK = make_task(ROBOT, Kinematics(ROBOT, compile_model(ROBOT)))


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(TASK.nobs, 1)

    def forward(self, observation):
        return self.layer(observation)


class Hidden(Linear):
    """Remembers, and does not say so: what rsl_rl's and others' TorchScript files do."""

    memory: torch.Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("memory", torch.zeros(1, 1))

    def forward(self, observation):
        self.memory[:] = 0.5 * self.memory + self.layer(observation)
        return self.memory.clone()


class Counting(Linear):
    """Remembers in an attribute that is no tensor."""

    calls = 0

    def forward(self, observation):
        self.calls += 1
        return self.layer(observation) * self.calls


class AlwaysDropping(Linear):
    def forward(self, observation):
        return self.layer(nn.functional.dropout(observation, 0.5, training=True))


class Idle(Linear):
    """Takes a state and ignores it."""

    state_sizes = {"memory": 2}  # noqa: RUF012

    def forward(self, observation, memory):
        return self.layer(observation), torch.zeros_like(memory)


class Clash(Linear):
    state_sizes = {"command": 1}  # noqa: RUF012


class NotFinite(Linear):
    def forward(self, observation):
        return self.layer(observation) * float("nan")


def refused(policy, folder, match, **options):
    given = {"trained_on": {}, "origin": {}} | options
    with pytest.raises(ControllerError, match=match):
        export(policy, ROBOT, TASK, folder / "controller.onnx", **given)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("policy", "match"),
    [
        (Hidden, "changes its own _policy.memory when it is asked"),
        (Counting, "answers the same question differently"),
        (AlwaysDropping, "random numbers even in evaluation mode"),
        (Idle, r"nothing depends on state\.memory"),
        (Clash, "the name 'command' is taken"),
        (NotFinite, "to finite inputs"),
    ],
)
def test_a_policy_that_is_no_function_of_its_inputs_is_refused(policy, match, tmp_path):
    refused(policy(), tmp_path, match)


def test_an_opset_that_the_exporter_does_not_give_is_refused(tmp_path):
    refused(Linear(), tmp_path, "its opset is 18, asked was 11", opset=11)


@pytest.mark.parametrize("path", ["/home/me/robot", r"C:\robots\mine"])
def test_a_path_of_this_machine_in_the_origin_is_refused(path, tmp_path):
    refused(Linear(), tmp_path, "origin.job.robot", origin={"job": {"robot": path}})


def test_training_mode_and_dropout_do_not_reach_the_file(tmp_path):
    policy = nn.Sequential(nn.Linear(TASK.nobs, 8), nn.BatchNorm1d(8), nn.Dropout())
    policy.append(nn.Linear(8, 1))
    policy.train()
    path = tmp_path / "controller.onnx"
    export(policy, ROBOT, TASK, path, trained_on={}, origin={})
    assert policy.training  # the caller's own is left alone
    assert "Dropout" not in {node.op_type for node in onnx.load(path).graph.node}
    Controller.load(path, ROBOT)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda m: m.graph.node.append(onnx.helper.make_node("Dropout", ["command"], ["x"])),
         "training mode"),
        (lambda m: m.graph.output.pop(), "outputs are"),
        (lambda m: m.graph.input.pop(), "inputs are"),
        (lambda m: m.opset_import.append(onnx.helper.make_opsetid("com.other", 1)), "com.other"),
        (lambda m: setattr(m.graph.node[0], "doc_string", "/home/me/policy.py line 3"), "paths"),
        (lambda m: _cut(m, "velocity"), r"depends on \['velocity'\], but no node reads"),
        (lambda m: setattr(m.graph.initializer[0], "data_location", 1), "weights outside the file"),
    ],
)  # fmt: skip
def test_a_graph_that_is_not_what_was_asked_for_is_refused(damage, match, tmp_path, monkeypatch):
    made = _hand_made()
    damage(made)
    monkeypatch.setattr(onnx_file, "to_onnx", lambda graph, opset: made)
    refused(Linear(), tmp_path, match)


def test_a_policy_reads_in_float64_unless_it_has_layers_that_exist_in_float32_only():
    assert ControllerGraph(ROBOT, TASK, Linear())._policy_type == torch.float64
    assert ControllerGraph(ROBOT, TASK, nn.GRU(1, 1))._policy_type == torch.float32


def test_exporting_leaves_the_policy_as_it_was(tmp_path):
    policy = Policy((TASK.nobs, 4, 1), "elu")
    weight = policy.layers[0].weight.detach().clone()  # type: ignore[union-attr]
    ControllerGraph(ROBOT, TASK, policy)
    assert policy.layers[0].weight.dtype == torch.float32
    np.testing.assert_array_equal(policy.layers[0].weight.detach(), weight)  # type: ignore[arg-type]


def _hand_made():
    """A graph with the inputs and outputs of the pendulum's controller."""
    return onnx.parser.parse_model("""
        <ir_version: 9, opset_import: ["" : 18]>
        g (float[1,1] position, float[1,1] velocity, float[1,1] "state.command")
        => (float[1,1] command, float[1,1] "next.state.command")
        <float[1,1] two = {2.0}> {
            a = Add(position, velocity)
            b = Mul("state.command", two)
            command = Sub(a, b)
            "next.state.command" = Identity(command)
        }
    """)


def _cut(model, name):
    for node in model.graph.node:
        node.input[:] = ["position" if each == name else each for each in node.input]


def test_a_state_that_matters_only_now_and_then_is_no_idle_one():
    from sim2real.export.checks import influence
    from sim2real.training.stages import History

    for seed in range(5):
        torch.manual_seed(seed)
        policy = History(nn.Linear(3 * TASK.nobs, 1), TASK.nobs, 3, fill="first")
        assert all(influence(ControllerGraph(ROBOT, TASK, policy)).values())


def test_each_second_step_of_the_tape_reaches_for_an_extreme_command():
    from sim2real.export.tape import GOLDEN_STEPS, steps

    graph = ControllerGraph(ROBOT, TASK, Linear())
    sizes = [abs(float(s.outputs["command"])) for s in steps(graph, GOLDEN_STEPS, 3, reach=True)]
    assert np.mean(sizes[1::2]) > np.mean(sizes[::2])
