"""Carried steps of torch's controller: the parity check and the golden tape are made of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sim2real.deploy.spec import GoldenTape
from sim2real.errors import ControllerError
from sim2real.export.checks import check_finite
from sim2real.export.graph import ControllerGraph, random_inputs

TOLERANCE = 1e-5
GOLDEN_STEPS = 64
PARITY_STEPS = 1000

# Inputs and first state are drawn this many times wider than 1, in turns: the small ones tell
# weights, the large ones reach what clips.
_SPREADS = (1.0, 0.3, 3.0, 1.0, 10.0, 100.0)
_STATE_SPREAD = 3.0
_CANDIDATES = 32
_UNLIKELY = 8  # each so many inputs are random also where the policy tells what is likely


@dataclass(frozen=True)
class Step:
    """One step: `inputs` and `state` are what went in, by name, `outputs` what torch answered."""

    inputs: dict[str, torch.Tensor]
    state: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]


def steps(graph: ControllerGraph, count: int, seed: int, *, reach: bool = False) -> Iterator[Step]:
    """Yield steps on random inputs, from a random state that is carried.

    With `reach`, each second step takes of several inputs the one with the most extreme command of
    a joint, in turns: a clip that is never reached could be missing without being missed.
    """
    rng = np.random.default_rng(seed)
    names, ninput = graph.input_names, len(graph.input_sizes)
    state = [_STATE_SPREAD * value for value in random_inputs(graph, rng)[ninput:]]
    for index in range(count):
        candidates = _CANDIDATES if reach and index % 2 else 1
        inputs, outputs = max(
            (_answered(graph, rng, state, index + i) for i in range(candidates)),
            key=lambda pair: _extremity(pair[1][0], index // 2),
        )
        yield Step(
            dict(zip(names, inputs, strict=False)),
            dict(zip(graph.state_sizes, state, strict=True)),
            dict(zip(graph.output_names, outputs, strict=True)),
        )
        state = list(outputs[1:])


def _answered(
    graph: ControllerGraph, rng: np.random.Generator, state: list[torch.Tensor], index: int
) -> tuple[list[torch.Tensor], tuple[torch.Tensor, ...]]:
    """Return inputs, likely ones if the policy tells of any and else random, and torch's answer."""
    inputs = graph.likely_inputs(rng, state) if index % _UNLIKELY else None
    if inputs is None:
        spread = _SPREADS[index % len(_SPREADS)]
        drawn = random_inputs(graph, rng)[: len(graph.input_sizes)]
        inputs = [spread * value for value in drawn]
    with torch.inference_mode():
        return inputs, graph(*inputs, *state)


def _extremity(command: torch.Tensor, turn: int) -> float:
    """Return the command (1, ncommand) of one joint, towards one of its limits."""
    joint, sign = turn // 2 % command.shape[1], 1 - 2 * (turn % 2)
    return sign * float(command[0, joint])


def golden_tape(graph: ControllerGraph) -> GoldenTape:
    """Return what torch answers: the truth, whatever the exporter makes of the graph."""
    tape = list(steps(graph, GOLDEN_STEPS, seed=3, reach=True))
    ends = {name: tape[-1].outputs[f"next.{name}"] for name in graph.state_sizes}
    return GoldenTape(
        inputs={name: tuple(_row(s.inputs[name]) for s in tape) for name in graph.input_sizes},
        state={_short(name): _row(value) for name, value in tape[0].state.items()},
        command=tuple(_row(step.outputs["command"]) for step in tape),
        final_state={_short(name): _row(value) for name, value in ends.items()},
    )


def deviation(graph: ControllerGraph, session: Any) -> float:
    """Return the largest |ONNX - torch| of command and states over `PARITY_STEPS` carried steps.

    As a share of the largest number of its kind where that is above 1: a float32 command of 200 Nm
    is itself no finer than 1.5e-5 Nm.

    Raises:
        ControllerError: it is above `TOLERANCE`, or torch's controller answers what is not finite.
    """
    worst, state = 0.0, {}
    for index, step in enumerate(steps(graph, PARITY_STEPS, seed=2)):
        state = state or {name: value.numpy() for name, value in step.state.items()}
        feed = {name: value.numpy() for name, value in step.inputs.items()} | state
        answers = dict(zip(graph.output_names, session.run(graph.output_names, feed), strict=True))
        check_finite(step.outputs)
        for name, value in step.outputs.items():
            worst = max(worst, _share(answers[name], value.numpy()))
        if not worst <= TOLERANCE:
            raise ControllerError(
                f"the exported graph deviates from torch by {worst:.2e} after {index + 1} steps"
                f" (allowed {TOLERANCE:.0e})"
            )
        state = {name: answers[f"next.{name}"] for name in graph.state_sizes}
    return worst


def _share(got: Any, expected: np.ndarray) -> float:
    difference = np.abs(got - expected).max() / max(1.0, np.abs(expected).max())
    return float(difference) if np.isfinite(difference) else np.inf


def _short(name: str) -> str:
    return name.removeprefix("state.")


def _row(value: torch.Tensor) -> tuple[float, ...]:
    return tuple(map(float, value[0]))
