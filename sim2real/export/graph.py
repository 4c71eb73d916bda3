"""The whole controller as one torch module: raw measurements in, commands out, state explicit."""

import copy
from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import nn

from sim2real.control import ActionMap
from sim2real.errors import ControllerError
from sim2real.robot import Robot
from sim2real.signals import Measured, measured_signals
from sim2real.tasks.task import Task
from sim2real.training.stages import sizes_of

_OWN_STATE = "command"


@final
class ControllerGraph(nn.Module):
    """Observation, policy and action map, from the same functions that training used.

    Inputs are the robot's `measured_signals` (1, size), `goal` (1, ngoal) if the task has one,
    `state.command` (1, ncommand), the command before, and the policy's own states. Outputs are
    `command` and `next.state.*`. All are float32; between them the graph computes in float64,
    because a policy may answer its own last command with more than it got: float32 rounding, which
    differs from one processor to the next, would grow from step to step. Torch's own recurrent
    layers exist in float32 only where the graph is run, and so does a policy with one.
    """

    def __init__(self, robot: Robot, task: Task, policy: nn.Module):
        """Take a copy of the policy, in evaluation mode: see `export` for what it may be."""
        super().__init__()
        recurrent = any(isinstance(module, nn.RNNBase) for module in policy.modules())
        self._policy_type = torch.float32 if recurrent else torch.float64
        self._policy = copy.deepcopy(policy).to("cpu", self._policy_type).eval()
        self._observe = getattr(self._policy, "observe", task.observe)
        self._action_map = ActionMap.of(robot)
        self._signals = measured_signals(robot)
        self.input_sizes = {name: signal.size for name, signal in self._signals.items()}
        if task.ngoal > 0:
            self.input_sizes["goal"] = task.ngoal
        own = _checked_states(policy)
        self._policy_states = [f"state.{name}" for name in own]
        self.state_sizes = {f"state.{_OWN_STATE}": len(robot.driven)}
        self.state_sizes |= {f"state.{name}": size for name, size in own.items()}

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the order of `forward`."""
        return [*self.input_sizes, *self.state_sizes]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order of `forward`."""
        return ["command", *(f"next.{name}" for name in self.state_sizes)]

    def likely_inputs(
        self, rng: np.random.Generator, state: Sequence[torch.Tensor]
    ) -> list[torch.Tensor] | None:
        """Return inputs that could follow on a state, if the policy tells: `likely`.

        A policy that compares what it sees with what it saw takes numbers at random for broken
        sensors, and what it does otherwise would stay untested.
        """
        likely = getattr(self._policy, "likely", None)
        if likely is None:
            return None
        names = (name.removeprefix("state.") for name in self.state_sizes)
        told = likely(rng, dict(zip(names, state, strict=True)))
        drawn = dict(zip(self.input_names, random_inputs(self, rng), strict=True))
        return [told.get(name, drawn[name]).float() for name in self.input_sizes]

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the command and the next states."""
        values = dict(zip(self.input_names, (value.double() for value in inputs), strict=True))
        measured = Measured(**{name: values[name] for name in self._signals})
        previous = values[f"state.{_OWN_STATE}"]
        observation = self._observe(measured, previous, values.get("goal"))
        action, states = self._act(observation, [values[name] for name in self._policy_states])
        command = self._action_map.command(action, previous).float()
        # + 0: two outputs of one name would be one in the graph
        return command, command + 0.0, *(state.float() + 0.0 for state in states)

    def _act(
        self, observation: torch.Tensor, states: list[torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        given = [value.to(self._policy_type) for value in (observation, *states)]
        answer = self._policy(*given)
        action, *following = answer if states else (answer,)
        return action.double(), following


def _checked_states(policy: nn.Module) -> dict[str, int]:
    sizes = sizes_of(policy)
    if _OWN_STATE in sizes:
        raise ControllerError(
            f"the policy's state_sizes are {sizes}: the name {_OWN_STATE!r} is taken by the command"
            " before; choose another"
        )
    return sizes


def random_inputs(graph: ControllerGraph, rng: np.random.Generator) -> list[torch.Tensor]:
    """Return distinct random inputs: equal ones could be merged by the exporter, silently."""
    sizes = {**graph.input_sizes, **graph.state_sizes}
    return [
        torch.from_numpy(rng.normal(size=(1, size)).astype(np.float32)) for size in sizes.values()
    ]
