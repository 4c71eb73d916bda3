"""What differs between two exported controllers: graph, specification, behaviour."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from sim2real import config
from sim2real.deploy.controller import Controller
from sim2real.deploy.spec import flat
from sim2real.signals import Measured

STEPS = 256
_SPREADS = (1.0, 0.3, 3.0)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Commands of two controllers that see the same, from their initial states."""

    largest: dict[str, float]
    """Joint → largest difference of commands."""
    first: int | None
    """The first step, of `STEPS`, in which they differ; None if they never do."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs, as lines for a reader; nothing where nothing does."""

    graph: tuple[str, ...]
    specification: tuple[str, ...]
    behaviour: Behaviour | None
    """None if they do not take the same inputs, or command other joints."""

    @property
    def same(self) -> bool:
        """Whether they differ in nothing."""
        moved = self.behaviour is None or self.behaviour.first is not None
        return not (self.graph or self.specification or moved)


def compare(one: Path, other: Path) -> Comparison:
    """Return what differs between two files; raises ControllerError if one is not sound."""
    a, b = Controller.load(one, None), Controller.load(other, None)
    return Comparison(
        graph=tuple(_graph(onnx.load(str(one)), onnx.load(str(other)))),
        specification=tuple(_specification(a, b)),
        behaviour=_behaviour(a, b),
    )


def _graph(a: onnx.ModelProto, b: onnx.ModelProto) -> list[str]:
    return [
        *_change("opset", a.opset_import[0].version, b.opset_import[0].version),
        *_changes(_operators(a), _operators(b)),
        *_weights(_numbers(a), _numbers(b)),
    ]


def _operators(model: onnx.ModelProto) -> dict[str, int]:
    return dict(Counter(node.op_type for node in model.graph.node))


def _numbers(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _weights(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    shapes = [{name: list(value.shape) for name, value in weights.items()} for weights in (a, b)]
    lines = _changes(shapes[0], shapes[1])
    for name, value in a.items():
        other = b.get(name)
        # bytes: a graph may hold NaN, which equals itself here
        if other is None or other.shape != value.shape or value.tobytes() == other.tobytes():
            continue
        largest = np.nan_to_num(np.abs(value.astype(float) - other), nan=np.inf).max()
        lines.append(f"{name} {list(value.shape)}: numbers differ by up to {largest:.3g}")
    return lines


def _specification(a: Controller, b: Controller) -> list[str]:
    tables = [config.to_dict(each.spec) for each in (a, b)]
    tapes = [(table.pop("golden"), table.pop("seal"))[0] for table in tables]
    lines = _changes(flat(tables[0]), flat(tables[1]))
    return lines + ([] if tapes[0] == tapes[1] else ["golden: another tape"])


def _behaviour(a: Controller, b: Controller) -> Behaviour | None:
    ends = [(c.spec.driven, c.spec.joints, c.spec.signals, len(c.spec.goal)) for c in (a, b)]
    if ends[0] != ends[1]:
        return None
    rng, rows = np.random.default_rng(0), []
    for index in range(STEPS):
        spread = _SPREADS[index % len(_SPREADS)]
        signals = a.spec.signals.items()
        measured = Measured(**{n: rng.normal(size=s.size) * spread for n, s in signals})
        goal = rng.normal(size=len(a.spec.goal)) * spread
        rows.append(np.abs(a.step(measured, goal) - b.step(measured, goal)))
    apart = np.array(rows)
    steps = np.flatnonzero(apart.max(axis=1) > 0)
    largest = dict(zip(a.spec.driven, apart.max(axis=0).tolist(), strict=True))
    return Behaviour(largest=largest, first=int(steps[0]) if len(steps) else None)


def _changes(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    names = [*a, *(name for name in b if name not in a)]
    return [line for name in names for line in _change(name, a.get(name), b.get(name))]


def _change(name: str, x: Any, y: Any) -> list[str]:
    if x == y:
        return []
    shown = ("nothing" if value is None else str(value) for value in (x, y))
    return [f"{name}: {' → '.join(shown)}"]
