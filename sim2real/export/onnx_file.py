"""torch → one ONNX file that proves itself: its specification and golden tape are inside."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from sim2real import config
from sim2real.deploy import seal
from sim2real.deploy.controller import Controller, open_session
from sim2real.deploy.seen import Seen
from sim2real.deploy.spec import METADATA_KEY, ControllerSpec, RobotFacts, robot_hash
from sim2real.errors import ControllerError
from sim2real.export import checks
from sim2real.export.graph import ControllerGraph, random_inputs
from sim2real.export.tape import deviation, golden_tape
from sim2real.robot import Robot
from sim2real.signals import measured_signals
from sim2real.tasks.task import Task

OPSET = 18


def export(  # noqa: PLR0913 - each is one thing, and all but four have names
    policy: nn.Module,
    robot: Robot,
    task: Task,
    path: Path,
    *,
    trained_on: Mapping[str, Any],
    origin: Mapping[str, Any],
    seen: Seen | None = None,
    opset: int = OPSET,
) -> float:
    """Write the controller to `path` and return its largest deviation from torch.

    The deviation is taken over 1,000 steps that carry their state, from a random one.

    Args:
        policy: any torch module, observation (n, nobs) → action (n, ncommand), clipped to [-1, 1]
            afterwards. If it has `state_sizes`, name → size, it is called with an array (n, size)
            of each state, too, and returns (action, *next states); states start at 0. If it has
            `observe`, that takes the place of the task's. If it has `likely`, (generator, states) →
            signals that could follow on them, the checks and the golden tape use it.
        robot: what the controller is for.
        task: what the policy observes.
        path: the file, replaced in one step.
        trained_on: the randomization: parameter → range, or a posterior's origin.
        origin: configuration, seed, versions.
        seen: what the policy met in training, as `export.seen` finds it; by default nobody knows.
        opset: of ONNX's operators, that the file is to need.

    Raises:
        ControllerError: the policy cannot be exported, or the exported file does not do what torch
            does; nothing is written.
    """
    graph = ControllerGraph(robot, task, policy)
    checks.check_repeatable(graph)
    acts = checks.influence(graph)
    model = to_onnx(graph, opset)
    checks.check_structure(graph, acts, model, opset)
    worst = deviation(graph, open_session(path, model.SerializeToString()))
    names = [name.removeprefix("state.") for name in graph.state_sizes]
    spec = ControllerSpec(
        robot=robot.name,
        robot_hash=robot_hash(robot),
        joints=tuple(robot.joints),
        driven=robot.driven,
        facts=RobotFacts.of(robot),
        signals=measured_signals(robot),
        unread=tuple(name for name in graph.input_sizes if not acts[name]),
        task=str(robot.task["name"]),
        goal=tuple(map(float, task.default_goal())),
        initial_state={
            name: (0.0,) * size
            for name, size in zip(names, graph.state_sizes.values(), strict=True)
        },
        seen=dict(seen or {}),
        trained_on=dict(trained_on),
        origin=dict(origin),
        golden=golden_tape(graph),
    ).to_json()
    checks.check_no_paths(spec)
    content = write(model, spec)
    Controller.from_bytes(path, content, robot)  # what would be refused is not written
    config.write_atomically(path, content)
    return worst


def write(model: onnx.ModelProto, spec: str) -> bytes:
    """Return the sealed file of a graph and its specification."""
    onnx.helper.set_model_props(model, {METADATA_KEY: spec})
    onnx.checker.check_model(model)
    return seal.sealed(model.SerializeToString())


def to_onnx(graph: ControllerGraph, opset: int = OPSET) -> onnx.ModelProto:
    """Return the graph as ONNX, unproven: `export` checks it and seals it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                graph.eval(),
                tuple(random_inputs(graph, np.random.default_rng(0))),
                input_names=graph.input_names,
                output_names=graph.output_names,
                opset_version=opset,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter's exceptions have no common base
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise ControllerError(f"torch cannot export this policy: {reason}") from error
    assert program is not None
    model = program.model_proto
    _strip_paths(model)
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
