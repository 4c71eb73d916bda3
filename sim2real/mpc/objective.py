"""What action sequences return on a model of the dynamics, by the task's own functions."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from sim2real.control import ActionMap
from sim2real.errors import ConfigError
from sim2real.robot import Robot
from sim2real.tasks.task import State, Task

Predict = Callable[[Tensor, Tensor], Tensor]
"""State (n, nstate) and command (n, ncommand) → the state a control step later (n, nstate).

A state is the joints' positions, then their velocities, raw, in SI units and the robot's order;
a command is what is sent to the drives."""


@final
@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is the case at one instant; tensors (1, size)."""

    state: Tensor
    command: Tensor
    """What was sent in the control step before."""
    goal: Tensor


@final
@dataclass(frozen=True, kw_only=True)
class ModelObjective:
    """Sum of the rewards that a model predicts, until a failure, which costs `failure_cost`."""

    robot: Robot
    task: Task
    failure_cost: float = 10.0
    """What an episode that ends early is charged with [reward]."""

    def __post_init__(self) -> None:
        if self.robot.base is not None:
            raise ConfigError(
                f"robot {self.robot.name!r}: planning on a model needs a robot whose joints tell"
                " its whole state; this one has a floating base: plan on the simulator instead"
            )

    @functools.cached_property
    def action_map(self) -> ActionMap:
        """The robot's map from actions to commands."""
        return ActionMap.of(self.robot)

    def returns(self, predict: Predict, now: Situation, actions: Tensor) -> Tensor:
        """Return what sequences (n, horizon, ncommand) return from a situation, (n,).

        Not finite where the prediction blew up.
        """
        n = len(actions)
        state, command, goal = (value.expand(n, -1) for value in (now.state, now.command, now.goal))
        total, alive = actions.new_zeros(n), actions.new_ones(n)
        for action in actions.unbind(dim=1):
            last, command = command, self.action_map.command(action, command)
            state = predict(state, command)
            reached = self._state(state, action, command, last, goal)
            failed = self.task.terminated(reached).to(total.dtype)
            total = total + alive * (self.task.reward(reached) - self.failure_cost * failed)
            alive = alive * (1.0 - failed)
        return total

    def _state(
        self, state: Tensor, action: Tensor, command: Tensor, last: Tensor, goal: Tensor
    ) -> State:
        position, velocity = torch.chunk(state, 2, dim=1)
        return State(position, velocity, action, command, last, goal)
