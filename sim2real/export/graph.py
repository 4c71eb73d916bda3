"""The whole controller as one torch module: raw measurements in, commands out, state explicit."""

import copy
from typing import final

import numpy as np
import torch
from torch import nn

from sim2real.control import ActionMap
from sim2real.robot import Robot
from sim2real.signals import Measured, measured_signals
from sim2real.tasks.task import Task
from sim2real.training.policy import Policy


@final
class ControllerGraph(nn.Module):
    """Observation, policy and action map, from the same functions that training used.

    Inputs are the robot's `measured_signals` (1, size), `goal` (1, ngoal) if the task has one, and
    `state.command` (1, ncommand), the command before. Outputs `command` and `next.state.command`.
    All are float32; between them the graph computes in float64, because a policy may answer its
    own last command with more than it got: float32 rounding, which differs from one processor to
    the next, would grow from step to step.
    """

    def __init__(self, robot: Robot, task: Task, policy: Policy):
        super().__init__()
        self._task, self._policy = task, copy.deepcopy(policy).double().eval()
        self._action_map = ActionMap.of(robot)
        self._has_goal = task.ngoal > 0
        self._signals = measured_signals(robot)
        self.input_sizes = {name: signal.size for name, signal in self._signals.items()}
        if self._has_goal:
            self.input_sizes["goal"] = task.ngoal
        self.state_sizes = {"state.command": len(robot.driven)}

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the order of `forward`."""
        return [*self.input_sizes, *self.state_sizes]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, in the order of `forward`."""
        return ["command", *(f"next.{name}" for name in self.state_sizes)]

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the command and the next state."""
        values = dict(zip(self.input_names, (value.double() for value in inputs), strict=True))
        measured = Measured(**{name: values[name] for name in self._signals})
        previous = values["state.command"]
        observation = self._task.observe(measured, previous, values.get("goal"))
        command = self._action_map.command(self._policy(observation), previous).float()
        return command, command + 0.0  # two outputs of one name would be one in the graph


def random_inputs(graph: ControllerGraph, rng: np.random.Generator) -> list[torch.Tensor]:
    """Return distinct random inputs: equal ones could be merged by the exporter, silently."""
    sizes = {**graph.input_sizes, **graph.state_sizes}
    return [
        torch.from_numpy(rng.normal(size=(1, size)).astype(np.float32)) for size in sizes.values()
    ]
