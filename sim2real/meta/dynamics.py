"""Models of a robot's dynamics that adapt to what it has just done.

What a planner or a controller needs is this file alone:

    memory = dynamics.start(1)                                      # nothing is known yet
    memory = dynamics.observe(memory, state, command, next_state)   # after each control step
    adapted = dynamics.adapted(memory)
    next_states = adapted(states, commands)                         # candidates, as many as wanted

All of it is pure functions of tensors without control flow that depends on data: the same lines run
in training and as nodes of an exported graph, where the memory is state that is passed explicitly.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sim2real.meta.scaling import Scaling

Memory = dict[str, Tensor]
"""What a model keeps of the past of n robots: name → (n, size)."""

Network = Callable[[Tensor], Tensor]
"""Standardized inputs (ntask, k, nin) → standardized changes (ntask, k, nchange)."""


@dataclass(frozen=True)
class Window:
    """Transitions of `ntask` robots, oldest first."""

    states: Tensor
    """(ntask, n, nstate)."""
    commands: Tensor
    """(ntask, n, ncommand)."""
    next_states: Tensor
    """(ntask, n, nstate)."""
    known: Tensor
    """1 for a transition that was seen, 0 for one that is not there (ntask, n)."""

    @classmethod
    def of(cls, states: Tensor, commands: Tensor, next_states: Tensor) -> "Window":
        """Return transitions that all were seen."""
        return cls(states, commands, next_states, torch.ones_like(states[..., 0]))

    def __getitem__(self, rows: Any) -> "Window":
        """Return some of each robot's transitions."""
        return Window(*(value[:, rows] for value in vars(self).values()))


@dataclass(frozen=True)
class Adapted:
    """A dynamics model that has adapted to each of `ntask` robots; called, it predicts."""

    scaling: Scaling
    network: Network
    members: int = 1
    """Of an ensemble: of the k candidates the first k / members go to its first member, ..."""
    uncertainty: Network | None = None
    """Standardized inputs → standard deviations of the standardized changes; None if unknown."""

    def __call__(self, states: Tensor, commands: Tensor) -> Tensor:
        """Return the states (ntask, k, nstate) after one control step.

        From states (ntask, k, nstate) under commands (ntask, k, ncommand), in SI units. `k` is a
        multiple of `members`.
        """
        return self.scaling.next_states(states, self.network(self.scaling.inputs(states, commands)))

    def sampled(self, states: Tensor, commands: Tensor, normal: Tensor) -> Tensor:
        """Return states as they may be, for standard normal numbers (ntask, k, nchange).

        The same as without where the model does not know how sure it is.
        """
        inputs = self.scaling.inputs(states, commands)
        change = self.network(inputs)
        if self.uncertainty is not None:
            change = change + self.uncertainty(inputs) * normal
        return self.scaling.next_states(states, change)

    def mean(self, states: Tensor, commands: Tensor) -> Tensor:
        """Return the same, of which every member predicts all, and their mean is taken."""
        every = self(states.repeat(1, self.members, 1), commands.repeat(1, self.members, 1))
        if self.members == 1:
            return every
        space, parts = self.scaling.space, every.chunk(self.members, dim=1)
        changes = torch.stack([space.change(states, part) for part in parts])
        return space.moved(states, changes.mean(dim=0))


class Dynamics(nn.Module, ABC):
    """A model (state, command) → next state that adapts. Each subclass is final."""

    members: int = 1

    def __init__(self, scaling: Scaling, window: int):
        """Take the scales of inputs and changes, and how many transitions `adapted` adapts to."""
        super().__init__()
        self.scaling, self.window = scaling, window

    @abstractmethod
    def adapt(self, window: Window) -> Adapted:
        """Return the model adapted to transitions of `ntask` robots; it is differentiable.

        Where adapting would make the error on these transitions larger, it is the model as it was.
        """

    @abstractmethod
    def unadapted(self, ntask: int) -> Adapted:
        """Return the model that has adapted to nothing, for `ntask` robots."""

    def loss(self, window: Window, query: Window) -> Tensor:
        """Return the loss (ntask,) on the query of the model adapted to the window."""
        return self.error(self.adapt(window), query)

    def error(self, adapted: Adapted, query: Window) -> Tensor:
        """Return the mean squared error (ntask,) of standardized changes on known transitions."""
        got = adapted.network(self.scaling.inputs(query.states, query.commands))
        wrong = (got - self.scaling.changes(query.states, query.next_states)).square().mean(dim=-1)
        return (wrong * query.known).sum(dim=1) / query.known.sum(dim=1).clamp_min(1.0)

    @property
    def memory_sizes(self) -> dict[str, int]:
        """Names and sizes of what is kept of each robot's past."""
        space = self.scaling.space
        sizes = {"states": space.nstate, "commands": space.ncommand, "next_states": space.nstate}
        return {name: self.window * size for name, size in sizes.items()} | {"known": self.window}

    def start(self, n: int) -> Memory:
        """Return the memory of `n` robots that have done nothing yet."""
        like = self.scaling.input_mean
        return {name: like.new_zeros(n, size) for name, size in self.memory_sizes.items()}

    def observe(self, memory: Memory, state: Tensor, command: Tensor, next_state: Tensor) -> Memory:
        """Return the memory after a transition (n, nstate), (n, ncommand), (n, nstate).

        One that is not finite, or far larger than any in training, is remembered as unknown.
        """
        rows = {"states": state, "commands": command, "next_states": next_state}
        good = _finite(*rows.values()) & self.scaling.within(state, next_state)[:, None]
        rows = {name: torch.where(good, row, torch.zeros_like(row)) for name, row in rows.items()}
        rows["known"] = good.to(state.dtype)
        return {
            name: torch.cat([memory[name][:, row.shape[1] :], row], dim=1)
            for name, row in rows.items()
        }

    def adapted(self, memory: Memory) -> Adapted:
        """Return the model adapted to what is remembered."""
        return self.adapt(self._window_of(memory))

    def _window_of(self, memory: Memory) -> Window:
        n, count, space = len(memory["known"]), self.window, self.scaling.space
        return Window(
            memory["states"].reshape(n, count, space.nstate),
            memory["commands"].reshape(n, count, space.ncommand),
            memory["next_states"].reshape(n, count, space.nstate),
            memory["known"],
        )


def _finite(*rows: Tensor) -> Tensor:
    """Return in which rows everything is finite, (n, 1)."""
    together = torch.cat(rows, dim=1)
    return torch.isfinite(together).all(dim=1, keepdim=True)
