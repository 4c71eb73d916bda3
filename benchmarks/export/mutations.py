"""Bugs of exporters, planted one at a time in a good file: loading must refuse each.

A bug of the exporter is sealed as the exporter would seal it: what refuses the file must be its
golden tape, which torch recorded, or what the specification says. Damage and edits after the export
leave the seal as it was. `MUTATIONS` is name → a function that returns the bad file for a case, or
None where the bug has nothing to bite on (one joint cannot be swapped).
"""

import copy
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sim2real.deploy import seal
from sim2real.deploy.controller import open_session
from sim2real.deploy.seal import UNSEALED
from sim2real.deploy.spec import METADATA_KEY, ControllerSpec, facts_hash

Mutation = Callable[["Case"], bytes | None]


@dataclass(frozen=True)
class Case:
    """A good file, and numbers to plant bugs with."""

    content: bytes
    seed: int = 0
    other: bytes | None = None
    """Another good file, of the same robot and kind of policy but with other weights."""
    other_kind: bytes | None = None
    """The file of an LSTM with the sizes of this GRU, or the other way round."""

    @cached_property
    def rng(self) -> np.random.Generator:
        """Where and what the bug is, if there is a choice."""
        return np.random.default_rng(self.seed)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The file's specification, as tables; not to be changed."""
        return specification(self.content)

    def graph(self) -> onnx.ModelProto:
        """Return the file's graph, to be changed."""
        return graph_of(self.content)


def specification(content: bytes) -> dict[str, Any]:
    """Return the specification of a file, as tables."""
    (text,) = [
        p.value for p in onnx.load_from_string(content).metadata_props if p.key == METADATA_KEY
    ]
    return json.loads(text)


def graph_of(content: bytes) -> onnx.ModelProto:
    """Return the graph of a file, without its specification."""
    model = onnx.load_from_string(content)
    del model.metadata_props[:]
    return model


def resealed(model: onnx.ModelProto, spec: dict[str, Any]) -> bytes:
    """Return the file as an exporter with this bug would write it."""
    text = json.dumps(spec | {"seal": UNSEALED}, sort_keys=True)
    helper.set_model_props(model, {METADATA_KEY: text})
    return seal.sealed(model.SerializeToString())


# --- a signal is read wrongly -------------------------------------------------------------------


def _read_through(case: Case, name: str, operator: str, constant: np.ndarray) -> bytes | None:
    """Return the file whose graph reads `operator(input, constant)` instead of the input."""
    model = case.graph()
    if not _reads(model, name):
        return None
    _redirect(model, name, f"{name}.wrong")
    model.graph.initializer.append(numpy_helper.from_array(constant, f"{name}.constant"))
    attributes = {"axis": 1} if operator == "Gather" else {}
    node = helper.make_node(operator, [name, f"{name}.constant"], [f"{name}.wrong"], **attributes)
    model.graph.node.insert(0, node)
    return resealed(model, case.spec)


def swapped_joints(case: Case) -> bytes | None:
    """Two joints trade places in what is measured."""
    n = len(case.spec["joints"])
    return None if n < 2 else _read_through(case, "position", "Gather", _swap(n, case.rng))


def swapped_inputs(case: Case) -> bytes | None:
    """Position is read as velocity and velocity as position."""
    model = case.graph()
    for old, new in (("position", "aside"), ("velocity", "position"), ("aside", "velocity")):
        _redirect(model, old, new)
    return resealed(model, case.spec)


def degrees(case: Case) -> bytes | None:
    """Positions are taken for degrees and turned into radians."""
    return _read_through(case, "position", "Mul", np.array(np.pi / 180, np.float32))


def flipped_sign(case: Case) -> bytes | None:
    """One joint turns the other way."""
    sign = np.ones(len(case.spec["joints"]), np.float32)
    sign[case.rng.integers(len(sign))] = -1
    return _read_through(case, "position", "Mul", sign)


def quaternion_order(case: Case) -> bytes | None:
    """A quaternion is read as x y z w."""
    if "orientation" not in case.spec["signals"]:
        return None
    return _read_through(case, "orientation", "Gather", np.array([1, 2, 3, 0]))


def ignored_goal(case: Case) -> bytes | None:
    """The goal of the export is baked into the graph."""
    if not case.spec["goal"]:
        return None
    model = case.graph()
    _redirect(model, "goal", "baked")
    baked = np.array([case.spec["goal"]], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(baked, "baked"))
    return resealed(model, case.spec)


# --- the command is written wrongly -------------------------------------------------------------


def _write_through(
    case: Case, nodes: Callable[[str, str], Iterable[Any]], *constants: Any
) -> bytes:
    """Return the file whose graph changes its command at the end."""
    model = case.graph()
    _rename_output(model, "command", "command.right")
    _redirect(model, "command", "command.right")
    model.graph.node.extend(nodes("command.right", "command"))
    model.graph.initializer.extend(constants)
    for node in model.graph.node:  # what is carried is what is sent
        if "next.state.command" in node.output and node.op_type == "Identity":
            node.input[0] = "command"
    _sort_last(model, "next.state.command")
    return resealed(model, case.spec)


def swapped_commands(case: Case) -> bytes | None:
    """Two joints trade places in what is commanded."""
    n = len(case.spec["driven"])
    if n < 2:
        return None
    order = numpy_helper.from_array(_swap(n, case.rng), "order")
    return _write_through(
        case, lambda a, b: [helper.make_node("Gather", [a, "order"], [b], axis=1)], order
    )


def wrong_offset(case: Case) -> bytes | None:
    """Actions count from a milliradian away, or from a thousandth of the largest torque."""
    joints = [case.spec["facts"]["joints"][name] for name in case.spec["driven"]]
    size = [1e-3 * (j["limits"]["torque"] if j["mode"] == "torque" else 1.0) for j in joints]
    offset = numpy_helper.from_array(np.array(size, np.float32), "offset")
    return _write_through(case, lambda a, b: [helper.make_node("Add", [a, "offset"], [b])], offset)


def random_action(case: Case) -> bytes | None:
    """The policy's distribution is sampled, as in training."""

    def nodes(a: str, b: str) -> list[Any]:
        noise = helper.make_node("RandomNormalLike", [a], ["noise"], scale=0.01)
        return [noise, helper.make_node("Add", [a, "noise"], [b])]

    return _write_through(case, nodes)


def late_command(case: Case) -> bytes | None:
    """The command of the step before is sent."""
    model = case.graph()
    _rename_output(model, "command", "command.right")
    for node in model.graph.node:
        if "next.state.command" in node.output:
            node.input[0] = "command.right"
    model.graph.node.append(helper.make_node("Identity", ["state.command"], ["command"]))
    return resealed(model, case.spec)


def wrong_action_scale(case: Case) -> bytes | None:
    """0.074501 was written as 0.075."""
    model = case.graph()
    layers = _weights(model, "weight")
    if not layers or _ends_in(model, "Tanh"):
        return None
    for tensor in (layers[-1], *_weights(model, "bias")[-1:]):
        _change(tensor, lambda x: x * (0.075 / 0.074501))
    return resealed(model, case.spec)


def missing_clip(case: Case) -> bytes | None:
    """Actions are not clipped to [-1, 1], nor torques to what that gives."""
    model = case.graph()
    clips = [node for node in model.graph.node if node.op_type == "Clip"][-1:]
    modes = {case.spec["facts"]["joints"][name]["mode"] for name in case.spec["driven"]}
    if modes == {"torque"}:  # where the limit stands for the clip
        clips += [node for node in model.graph.node if node.op_type in ("Min", "Max")][-2:]
    return _if_it_bites(case, _bypassed(case, model, clips)) if clips else None


def missing_limits(case: Case) -> bytes | None:
    """Commands are not kept within the joints' limits."""
    model = case.graph()
    limits = [node for node in model.graph.node if node.op_type in ("Min", "Max")][-2:]
    return _if_it_bites(case, _bypassed(case, model, limits)) if limits else None


# --- the policy is another one ------------------------------------------------------------------


def dropped_normalizer(case: Case) -> bytes | None:
    """The policy was trained behind a normalizer and is exported without."""
    model = case.graph()
    found = [(_named(model, "mean"), 0.0), (_named(model, "scale"), 1.0)]
    if not all(tensors for tensors, _ in found):
        return None
    for tensors, value in found:
        for tensor in tensors:
            _change(tensor, lambda x, value=value: np.full_like(x, value))
    return resealed(model, case.spec)


def other_epsilon(case: Case) -> bytes | None:
    """The normalizer's scale lacks its epsilon of 0.01."""
    return _changed(case, "scale", lambda x: x + 0.01)


def batch_statistics(case: Case) -> bytes | None:
    """The normalizer was exported in training mode: it takes the mean of what it sees."""
    model = case.graph()
    tensors = _named(model, "mean")
    nodes = [n for n in model.graph.node if tensors and tensors[0].name in n.input]
    if not nodes:
        return None
    node = nodes[0]
    index = list(model.graph.node).index(node)
    node.input[1] = "batch.mean"
    mean = helper.make_node("ReduceMean", [node.input[0]], ["batch.mean"], keepdims=1)
    model.graph.node.insert(index, mean)
    return resealed(model, case.spec)


def dropout(case: Case) -> bytes | None:
    """The graph is that of training: it drops one number in ten."""
    model = case.graph()
    node = _first(model, ("Elu", "Relu", "Tanh"))
    if node is None:
        return None
    # written out, as ATen's decomposition is: onnxruntime leaves an operator Dropout out
    result = node.output[0]
    node.output[0] = "all"
    kept = np.array(1 / 0.9, np.float64)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(0.1, np.float32), "ratio"),
            numpy_helper.from_array(kept, "rescale"),
        ]
    )
    nodes = [
        helper.make_node("RandomUniformLike", ["all"], ["chance"], dtype=TensorProto.FLOAT),
        helper.make_node("Greater", ["chance", "ratio"], ["stays"]),
        helper.make_node("Cast", ["stays"], ["mask"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["all", "mask"], ["dropped"]),
        helper.make_node("Mul", ["dropped", "rescale"], [result]),
    ]
    at = list(model.graph.node).index(node) + 1
    for offset, each in enumerate(nodes):
        model.graph.node.insert(at + offset, each)
    return resealed(model, case.spec)


def other_activation(case: Case) -> bytes | None:
    """ELU is exported as ReLU, ReLU as ELU, tanh as a clip."""
    model = case.graph()
    node = _first(model, ("Elu", "Relu", "Tanh"))
    if node is None:
        return None
    node.op_type = {"Elu": "Relu", "Relu": "Elu", "Tanh": "Erf"}[node.op_type]
    del node.attribute[:]
    return resealed(model, case.spec)


def reordered_observation(case: Case) -> bytes | None:
    """The parts of the observation are concatenated in another order."""
    return _changed(case, "0.weight", lambda x: np.roll(x, 1, axis=1) if x.ndim == 2 else x)


def lost_bias(case: Case) -> bytes | None:
    """The last layer's bias is left out."""
    return _changed(case, "bias", np.zeros_like, last=True)


def float16_weights(case: Case) -> bytes | None:
    """The weights were rounded to half precision."""
    return _changed(case, "weight", lambda x: x.astype(np.float16).astype(x.dtype))


def int8_weights(case: Case) -> bytes | None:
    """The weights were quantized to 8 bits."""

    def quantized(x: np.ndarray) -> np.ndarray:
        step = np.abs(x).max() / 127
        return (np.round(x / step) * step).astype(x.dtype)

    return _changed(case, "weight", quantized)


def other_checkpoint(case: Case) -> bytes | None:
    """The graph is of an earlier checkpoint than the specification and its tape."""
    return None if case.other is None else resealed(graph_of(case.other), case.spec)


def not_a_number(case: Case) -> bytes | None:
    """One weight is not a number."""

    def poisoned(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x.flat[0] = np.nan
        return x

    return _changed(case, "weight", poisoned, last=True)


# --- what is carried ----------------------------------------------------------------------------


def other_recurrent_kind(case: Case) -> bytes | None:
    """A GRU is saved as an LSTM, or the other way round."""
    return None if case.other_kind is None else resealed(graph_of(case.other_kind), case.spec)


def aliased_state(case: Case) -> bytes | None:
    """The example inputs were one tensor twice: the cell is read from the hidden state."""
    if "cell" not in case.spec["initial_state"]:
        return None
    model = case.graph()
    _redirect(model, "state.cell", "state.hidden")
    return resealed(model, case.spec)


def frozen_state(case: Case) -> bytes | None:
    """A state is handed on as it came."""
    name = _own_state(case)
    if name is None:
        return None
    model = case.graph()
    _rename_output(model, f"next.{name}", "dropped")
    model.graph.node.append(helper.make_node("Identity", [name], [f"next.{name}"]))
    return resealed(model, case.spec)


def forgotten_state(case: Case) -> bytes | None:
    """Each step begins with a state of zeros."""
    name = _own_state(case)
    if name is None:
        return None
    model, size = case.graph(), len(case.spec["initial_state"][name.removeprefix("state.")])
    _redirect(model, name, "zeros")
    zeros = numpy_helper.from_array(np.zeros((1, size), np.float32), "zeros")
    model.graph.initializer.append(zeros)
    return resealed(model, case.spec)


def missing_state_output(case: Case) -> bytes | None:
    """The graph has the state as an input, but does not hand it on."""
    name = _own_state(case) or "state.command"
    model = case.graph()
    for index, value in enumerate(model.graph.output):
        if value.name == f"next.{name}":
            del model.graph.output[index]
            break
    return resealed(model, case.spec)


def history_order(case: Case) -> bytes | None:
    """The newest observation stands first."""
    model = case.graph()
    node = _history_node(model)
    if node is None:
        return None
    node.input[:] = list(reversed(node.input))
    return resealed(model, case.spec)


# --- the specification says something else ------------------------------------------------------


def wrong_rate(case: Case) -> bytes | None:
    """The specification names another control rate."""
    return _respecified(case, lambda spec: spec["facts"].update(control_hz=200.0))


def wrong_gain(case: Case) -> bytes | None:
    """A gain is 10 % off."""

    def edit(spec: dict[str, Any]) -> None:
        joint = spec["facts"]["joints"][spec["driven"][0]]
        joint["kd"] = 1.1 * joint["kd"] + 0.01

    return _respecified(case, edit)


def wrong_joint_order(case: Case) -> bytes | None:
    """Names of joints in another order than the graph's."""
    if len(case.spec["joints"]) < 2:
        return None
    return _respecified(case, lambda spec: spec["joints"].reverse())


def rounded_metadata(case: Case) -> bytes | None:
    """All numbers of the specification at three decimals."""
    model, spec = case.graph(), copy.deepcopy(case.spec)
    return resealed(model, _rounded(spec))


def wrong_size_of_signal(case: Case) -> bytes | None:
    """The specification asks for one number more than the graph takes."""
    return _respecified(case, lambda spec: spec["signals"]["velocity"].update(
        size=spec["signals"]["velocity"]["size"] + 1))  # fmt: skip


def other_tape(case: Case) -> bytes | None:
    """The golden tape belongs to another policy."""
    if case.other is None:
        return None
    golden = specification(case.other)["golden"]
    return _respecified(case, lambda spec: spec.update(golden=golden))


def no_tape(case: Case) -> bytes | None:
    """A tape without steps proves nothing."""

    def edit(spec: dict[str, Any]) -> None:
        spec["golden"]["command"] = []
        spec["golden"]["inputs"] = {name: [] for name in spec["golden"]["inputs"]}

    return _respecified(case, edit)


def old_schema(case: Case) -> bytes | None:
    """A specification of the schema before."""
    return _respecified(case, lambda spec: spec.update(schema=spec["schema"] - 1))


def other_robot(case: Case) -> bytes | None:
    """The file of another robot of the same name: one limit differs, and its hash with it."""

    def edit(spec: dict[str, Any]) -> None:
        limits = spec["facts"]["joints"][spec["driven"][0]]["limits"]
        limits["torque"] *= 1.5
        whole = ControllerSpec.from_json(json.dumps(spec), "mutant")
        spec["robot_hash"] = facts_hash(whole.facts, whole.joints)

    return _respecified(case, edit)


# --- damage and edits after the export ----------------------------------------------------------


def edited_weight(case: Case) -> bytes | None:
    """One weight is the next number that a float can hold."""
    tensor = case.rng.choice(np.array(_weights(case.graph(), "weight"), object))
    raw = tensor.raw_data
    at = case.content.find(raw[:64])
    return _flipped(case.content, at) if raw and at >= 0 else None


def edited_specification(case: Case) -> bytes | None:
    """One digit of the specification is another."""
    at = case.content.find(b'"initial_state"') + len(b'"initial_state": {"command": [')
    return case.content[:at] + b"1" + case.content[at + 1 :]


def flipped_bit(case: Case) -> bytes | None:
    """One bit of the file, anywhere."""
    return _flipped(case.content, int(case.rng.integers(len(case.content))),
                    int(case.rng.integers(8)))  # fmt: skip


def truncated(case: Case) -> bytes | None:
    """The copy broke off."""
    return case.content[: int(case.rng.integers(len(case.content)))]


def appended(case: Case) -> bytes | None:
    """Something was written after the end: another metadata entry, which ONNX merges in."""
    extra = onnx.ModelProto()
    helper.set_model_props(extra, {"note": "by hand"})
    return case.content + extra.SerializeToString()


def second_specification(case: Case) -> bytes | None:
    """Metadata were attached again by another tool, and the file saved anew."""
    model = onnx.load_from_string(case.content)
    model.producer_name = "another tool"
    return model.SerializeToString()


def stale_external_data(case: Case) -> bytes | None:
    """The weights stand in a second file, left there by an earlier export."""
    model = case.graph()
    helper.set_model_props(model, {METADATA_KEY: json.dumps(case.spec | {"seal": UNSEALED})})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "controller.onnx"
        onnx.save(model, path, save_as_external_data=True, location="weights.data",
                  size_threshold=0)  # fmt: skip
        return seal.sealed(path.read_bytes())


def external_memory(case: Case) -> bytes | None:
    """A weight's place is an address in memory, as onnxruntime writes it for itself."""
    model = case.graph()
    tensor = _weights(model, "weight")[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "*/_ORT_MEM_ADDR_/*"), ("offset", "4096"), ("length", "64")):
        tensor.external_data.add(key=key, value=value)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(case.spec | {"seal": UNSEALED})})
    return seal.sealed(model.SerializeToString())


MUTATIONS: dict[str, Mutation] = {
    function.__name__: function
    for function in (
        swapped_joints, swapped_inputs, degrees, flipped_sign, quaternion_order, ignored_goal,
        swapped_commands, wrong_offset, random_action, late_command, wrong_action_scale,
        missing_clip, missing_limits, dropped_normalizer, other_epsilon, batch_statistics, dropout,
        other_activation, reordered_observation, lost_bias, float16_weights, int8_weights,
        other_checkpoint, not_a_number, other_recurrent_kind, aliased_state, frozen_state,
        forgotten_state, missing_state_output, history_order, wrong_rate, wrong_gain,
        wrong_joint_order, rounded_metadata, wrong_size_of_signal, other_tape, no_tape, old_schema,
        other_robot, edited_weight, edited_specification, flipped_bit, truncated, appended,
        second_specification, stale_external_data, external_memory,
    )
}  # fmt: skip


# --- how the bugs are planted -------------------------------------------------------------------


def _respecified(case: Case, edit: Callable[[dict[str, Any]], Any]) -> bytes:
    spec = copy.deepcopy(case.spec)
    edit(spec)
    return resealed(case.graph(), spec)


def _changed(
    case: Case, ending: str, change: Callable[[np.ndarray], np.ndarray], *, last: bool = False
) -> bytes | None:
    model = case.graph()
    tensors = _named(model, ending)
    if not tensors:
        return None
    for tensor in tensors[-1:] if last else tensors:
        _change(tensor, change)
    return resealed(model, case.spec)


def _change(tensor: TensorProto, change: Callable[[np.ndarray], np.ndarray]) -> None:
    values = change(numpy_helper.to_array(tensor))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _named(model: onnx.ModelProto, ending: str) -> list[TensorProto]:
    """Return the policy's own numbers whose name ends so, in the order of its layers."""
    tensors = [t for t in model.graph.initializer if t.name.startswith("_policy")]
    return [t for t in tensors if t.name.endswith(f".{ending}")]


def _weights(model: onnx.ModelProto, kind: str) -> list[TensorProto]:
    """Return weights or biases, a recurrent cell's first."""
    tensors = [t for t in model.graph.initializer if t.name.startswith("_policy")]
    return [t for t in tensors if re.search(rf"\.{kind}(_ih|_hh)?$", t.name)]


def _reads(model: onnx.ModelProto, name: str) -> bool:
    return any(name in node.input for node in model.graph.node)


def _redirect(model: onnx.ModelProto, old: str, new: str) -> None:
    """Let every node that reads `old` read `new`."""
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def _rename_output(model: onnx.ModelProto, old: str, new: str) -> None:
    for node in model.graph.node:
        node.output[:] = [new if name == old else name for name in node.output]


def _sort_last(model: onnx.ModelProto, output: str) -> None:
    """Move the node that makes `output` to the end: it reads what was appended."""
    for node in model.graph.node:
        if output in node.output:
            moved = onnx.NodeProto()
            moved.CopyFrom(node)
            model.graph.node.remove(node)
            model.graph.node.append(moved)
            return


def _bypassed(case: Case, model: onnx.ModelProto, nodes: list[Any]) -> bytes:
    for node in nodes:
        node.op_type = "Identity"
        del node.input[1:]
    return resealed(model, case.spec)


def _if_it_bites(case: Case, bad: bytes) -> bytes | None:
    """Return the bad file, None if from the start it does what the good one does, whatever comes.

    An action that is bounded by what the policy is made of needs no clip: there is no bug then.
    """
    one, other = (open_session(Path("case"), content) for content in (case.content, bad))
    start = case.spec["initial_state"].items()
    feed: dict[str, Any] = {f"state.{name}": np.array([x], np.float32) for name, x in start}
    names = [node.name for node in one.get_outputs()]
    for _ in range(300):
        for node in one.get_inputs():
            if not node.name.startswith("state."):
                values = case.rng.normal(size=node.shape) * 10.0 ** case.rng.uniform(-1, 2)
                feed[node.name] = values.astype(np.float32)
        right, wrong = (session.run(names, feed) for session in (one, other))
        if any(np.abs(a - b).max() > 1e-4 for a, b in zip(right, wrong, strict=True)):
            return bad
        states = zip(names[1:], right[1:], strict=True)
        feed |= {name.removeprefix("next."): value for name, value in states}
    return None


def _first(model: onnx.ModelProto, kinds: tuple[str, ...]) -> Any:
    """Return the first node of such a kind behind a layer of weights."""
    made = {n.output[0] for n in model.graph.node if n.op_type in ("Gemm", "MatMul")}
    nodes = (n for n in model.graph.node if n.op_type in kinds and n.input[0] in made)
    return next(nodes, None)


def _ends_in(model: onnx.ModelProto, kind: str) -> bool:
    """Whether what is clipped as an action is the result of such a node."""
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    return bool(clips) and makers.get(clips[-1].input[0]) == kind


def _own_state(case: Case) -> str | None:
    names = [name for name in case.spec["initial_state"] if name != "command"]
    return f"state.{names[-1]}" if names else None


def _history_node(model: onnx.ModelProto) -> Any:
    casts = {n.output[0] for n in model.graph.node if "state.history" in n.input}
    concats = (n for n in model.graph.node if n.op_type == "Concat")
    return next((n for n in concats if casts & set(n.input)), None)


def _swap(n: int, rng: np.random.Generator) -> np.ndarray:
    order = np.arange(n)
    a, b = rng.choice(n, 2, replace=False)
    order[[a, b]] = order[[b, a]]
    return order


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


def _flipped(content: bytes, at: int, bit: int = 0) -> bytes:
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]
