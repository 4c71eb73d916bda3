"""torch → one ONNX file that proves itself: its specification and golden tape are inside."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from sim2real import config
from sim2real.deploy.controller import open_session
from sim2real.deploy.spec import METADATA_KEY, ControllerSpec, GoldenTape, robot_hash
from sim2real.errors import ControllerError
from sim2real.export.graph import ControllerGraph, random_inputs
from sim2real.robot import Robot
from sim2real.signals import measured_signals
from sim2real.tasks.task import Task
from sim2real.training.policy import Policy

TOLERANCE = 1e-5
_OPSET = 18
_GOLDEN_STEPS = 32
_PARITY_STEPS = 1000


def export(
    policy: Policy,
    robot: Robot,
    task: Task,
    path: Path,
    *,
    trained_on: Mapping[str, Any],
    origin: Mapping[str, Any],
) -> float:
    """Write the controller to `path` and return its largest deviation from torch.

    The deviation is taken over 1,000 steps with carried state, from random states.

    Raises:
        ControllerError: the exported file does not do what torch does; nothing is written.
    """
    graph = ControllerGraph(robot, task, policy)
    model = _to_onnx(graph)
    deviation = _deviation(graph, open_session(path, model.SerializeToString()))
    spec = ControllerSpec(
        robot=robot.name,
        robot_hash=robot_hash(robot),
        joints=tuple(robot.joints),
        driven=robot.driven,
        signals=measured_signals(robot),
        control_hz=robot.control_hz,
        task=str(robot.task["name"]),
        goal=tuple(map(float, task.default_goal())),
        initial_state={"command": (0.0,) * len(robot.driven)},
        trained_on=dict(trained_on),
        origin=dict(origin),
        golden=_golden_tape(graph),
    )
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model)
    config.write_atomically(path, model.SerializeToString())
    return deviation


def _to_onnx(graph: ControllerGraph) -> onnx.ModelProto:
    graph.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            graph,
            tuple(random_inputs(graph, np.random.default_rng(0))),
            input_names=graph.input_names,
            output_names=graph.output_names,
            opset_version=_OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip_paths(model)
    _check_structure(graph, model)
    return model


def _strip_paths(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes: they hold paths and stack traces of this machine."""
    del model.metadata_props[:]
    model.graph.doc_string = ""
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]


def _check_structure(graph: ControllerGraph, model: onnx.ModelProto) -> None:
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    used = {name for node in model.graph.node for name in node.input}
    operators = {node.op_type for node in model.graph.node}
    opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    external = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    problems = [
        (inputs != graph.input_names, f"inputs are {inputs}, expected {graph.input_names}"),
        (outputs != graph.output_names, f"outputs are {outputs}, expected {graph.output_names}"),
        (opset != _OPSET, f"opset is {opset}, expected {_OPSET}"),
        (bool(external), f"weights outside the file: {external}"),
        ("Dropout" in operators, "it was exported in training mode (Dropout)"),
    ]
    # `hopper`-like robots measure joints that their task ignores, so only the state must be used
    unused = [name for name in graph.state_sizes if name not in used and _needs_state(graph)]
    problems.append((bool(unused), f"inputs that nothing reads: {unused}"))
    for wrong, reason in problems:
        if wrong:
            raise ControllerError(f"the exporter produced a wrong graph: {reason}")


def _needs_state(graph: ControllerGraph) -> bool:
    """Return whether another previous command gives another command, in torch."""
    rng = np.random.default_rng(1)
    *inputs, previous = random_inputs(graph, rng)
    with torch.inference_mode():
        one, other = graph(*inputs, previous)[0], graph(*inputs, previous * 0.5)[0]
    return not torch.equal(one, other)


def _deviation(graph: ControllerGraph, session: Any) -> float:
    """Return the largest |ONNX - torch|, as a share of the largest command where that is above 1.

    A float32 command of 200 Nm is itself no finer than 1.5e-5 Nm.
    """
    rng = np.random.default_rng(2)
    worst = 0.0
    state = random_inputs(graph, rng)[-1]
    state_here = state.numpy()
    for step in range(_PARITY_STEPS):
        *inputs, fresh = random_inputs(graph, rng)
        if step % 100 == 0:  # carried from many random states
            state, state_here = fresh, fresh.numpy()
        with torch.inference_mode():
            command, state = graph(*inputs, state)
        values = [value.numpy() for value in inputs] + [state_here]
        feed = dict(zip(graph.input_names, values, strict=True))
        command_here, state_here = session.run(graph.output_names, feed)  # type: ignore[misc]
        scale = max(1.0, float(command.abs().max()))
        difference = np.abs(command.numpy() - np.asarray(command_here)).max() / scale
        worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
    if not worst <= TOLERANCE:
        raise ControllerError(
            f"the exported graph deviates from torch by {worst:.2e} (allowed {TOLERANCE:.0e})"
        )
    return worst


def _golden_tape(graph: ControllerGraph) -> GoldenTape:
    rng = np.random.default_rng(3)
    state = random_inputs(graph, rng)[-1]
    start = tuple(map(float, state[0]))
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in graph.input_sizes}
    commands = []
    for _ in range(_GOLDEN_STEPS):
        *inputs, _ = random_inputs(graph, rng)
        with torch.inference_mode():
            command, state = graph(*inputs, state)
        for name, value in zip(rows, inputs, strict=True):
            rows[name].append(tuple(map(float, value[0])))
        commands.append(tuple(map(float, command[0])))
    inputs_of = {name: tuple(values) for name, values in rows.items()}
    return GoldenTape(inputs=inputs_of, state={"command": start}, command=tuple(commands))
