"""What must hold of a policy before it is exported, and of the graph that came out."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from sim2real.deploy.spec import flat
from sim2real.errors import ControllerError
from sim2real.export.graph import ControllerGraph, random_inputs

_REPEATS = 8
_PROBES, _SPREAD = 64, 3.0
_RANDOM = {"Dropout", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
           "Bernoulli", "Multinomial"}  # fmt: skip
_A_PATH = re.compile(rb"(?:/(?:home|root|tmp|usr|opt|Users|var)/|[A-Z]:\\)[\w.\-]+|\w+\.py\b")


def check_repeatable(graph: ControllerGraph) -> None:
    """Refuse a policy with a memory that is no input, or with chance in it."""
    inputs = random_inputs(graph, np.random.default_rng(0))
    before = {name: value.clone() for name, value in _tensors(graph).items()}
    with torch.inference_mode():
        first, *others = (graph(*inputs) for _ in range(_REPEATS))
    changed = [n for n, x in _tensors(graph).items() if not torch.equal(x, before[n])]
    if changed:
        raise ControllerError(
            f"the policy changes its own {', '.join(changed)} when it is asked: the graph would"
            " freeze that memory; make it an argument and a result, and name it in state_sizes"
        )
    check_finite(dict(zip(graph.output_names, first, strict=True)))
    if not all(_equal(first, other) for other in others):
        raise ControllerError(
            "the policy answers the same question differently each time: it draws random numbers"
            " even in evaluation mode, or keeps a memory; a controller must not"
        )


def check_finite(outputs: Mapping[str, torch.Tensor]) -> None:
    """Refuse a policy that answers what is not finite."""
    for name, value in outputs.items():
        if not torch.isfinite(value).all():
            raise ControllerError(
                f"the policy answers {value[0].tolist()} as {name!r} to finite inputs: a weight or"
                " its normalizer is not finite, or a scale is 0"
            )


def influence(graph: ControllerGraph) -> dict[str, bool]:
    """Return for each input whether torch's answer depends on it; refuses a state without any."""
    rng = np.random.default_rng(1)
    acts = dict.fromkeys(graph.input_names, False)
    carried: tuple[torch.Tensor, ...] = ()
    for _ in range(_PROBES):
        inputs, others = ([_SPREAD * x for x in random_inputs(graph, rng)] for _ in range(2))
        if carried:  # goes on from the last probe, if the policy tells how
            likely = graph.likely_inputs(rng, carried)
            inputs = inputs if likely is None else [*likely, *carried]
        with torch.inference_mode():
            answer = graph(*inputs)
            carried = answer[1:]
            for index, name in enumerate(graph.input_names):
                moved = [*inputs[:index], others[index], *inputs[index + 1 :]]
                acts[name] = acts[name] or not _equal(answer, graph(*moved))
        if all(acts.values()):
            break
    idle = [name for name in graph.state_sizes if not acts[name] and name != "state.command"]
    if idle:
        raise ControllerError(
            f"nothing depends on {', '.join(idle)}: the policy takes this state and ignores it"
        )
    return acts


def check_structure(
    graph: ControllerGraph, acts: Mapping[str, bool], model: onnx.ModelProto, opset: int
) -> None:
    """Raise ControllerError if the graph is not what was to be exported."""
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    read = {name for node in model.graph.node for name in node.input}
    unread = [name for name, needed in acts.items() if needed and name not in read]
    chance = sorted({node.op_type for node in model.graph.node} & _RANDOM)
    domains = sorted({item.domain for item in model.opset_import} - {"", "ai.onnx"})
    found = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    external = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    paths = sorted({text.decode() for text in _A_PATH.findall(_texts(model))})
    problems = [
        (inputs != graph.input_names, f"inputs are {inputs}, expected {graph.input_names}"),
        (outputs != graph.output_names, f"outputs are {outputs}, expected {graph.output_names}"),
        (found != opset, f"its opset is {found}, asked was {opset}: give another opset"),
        (bool(domains), f"it needs operators that onnxruntime may not have: {domains}"),
        (bool(external), f"weights outside the file: {external}"),
        (bool(chance), f"it was exported in training mode or draws random numbers: {chance}"),
        (bool(unread), f"torch's answer depends on {unread}, but no node reads them"),
        (bool(paths), f"paths of this machine are in it: {paths}"),
    ]
    for wrong, reason in problems:
        if wrong:
            raise ControllerError(f"the exporter produced a wrong graph: {reason}")


def check_no_paths(spec: str) -> None:
    """Refuse a specification with an absolute path, which means nothing on another machine."""
    for name, value in flat(json.loads(spec)).items():
        if isinstance(value, str) and is_absolute(value):
            raise ControllerError(f"{name} = {value!r}: an absolute path means nothing elsewhere")


def is_absolute(text: str) -> bool:
    """Return whether a text is an absolute path of Linux, macOS or Windows."""
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _texts(model: onnx.ModelProto) -> bytes:
    """Return the model without its weights, whose bytes could look like anything."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
    for node in bare.graph.node:
        for attribute in node.attribute:
            attribute.t.ClearField("raw_data")
    return bare.SerializeToString()


def _equal(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _tensors(module: nn.Module) -> dict[str, Any]:
    return {**dict(module.named_buffers()), **dict(module.named_parameters())}
