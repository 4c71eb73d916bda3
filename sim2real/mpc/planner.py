"""The abstract planner: which actions promise the most, as a pure function of tensors.

Nothing here draws random numbers, keeps a memory or branches on values: noise and memory are
arguments, so that a plan can be repeated, and the whole search is a fixed graph that exports.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sim2real.errors import ConfigError
from sim2real.mpc.coloured_noise import colouring

Objective = Callable[[Tensor], Tensor]
"""Action sequences (n, horizon, ncommand) in [-1, 1] → what each returns (n,)."""

WORST = -1e30
"""The return of a candidate whose rollout blew up."""

_TIE = 1e-12  # as a share of a return: equal ones are ranked by their place, on any machine


@dataclass(frozen=True)
class Plan:
    """What a planner found."""

    actions: Tensor
    """(horizon, ncommand); the first is the one to take."""
    memory: Tensor
    """What the next search starts from (nmemory, horizon, ncommand), moved on by one step."""
    sound: Tensor
    """Whether any candidate's return was finite (): if not, `actions` is the last plan."""


@dataclass(frozen=True, kw_only=True)
class Planner(ABC):
    """Samples action sequences, and narrows them down to a plan. Each subclass is final."""

    horizon: int = 15
    """Control steps that are looked ahead."""
    candidates: int = 500
    """Sequences in an iteration, or in its first one."""
    std: float = 0.5
    """Standard deviation of the actions, whose range is -1 to 1, where the search begins."""
    colour: float = 0.0
    """Exponent of the noise's spectrum 1/f^colour over time: 0 is white, 2 wanders."""

    def __post_init__(self) -> None:
        if min(self.horizon, self.candidates) < 1:
            raise ConfigError(
                f"planner: horizon = {self.horizon} and candidates = {self.candidates} must be at"
                " least 1"
            )
        if not 0.0 < self.std <= 10.0 or not 0.0 <= self.colour <= 10.0:
            raise ConfigError(
                f"planner: std = {self.std} must be above 0, and colour = {self.colour} at least 0;"
                " both at most 10"
            )

    @property
    @abstractmethod
    def ndraws(self) -> int:
        """How many sequences of noise a plan takes."""

    @property
    def samples(self) -> int:
        """How many sequences a plan tries out."""
        return self.ndraws

    @property
    def width(self) -> int:
        """How many of them at once, at most."""
        return self.candidates

    @property
    def nmemory(self) -> int:
        """How many sequences are kept from plan to plan."""
        return 1

    @abstractmethod
    def search(self, score: Objective, memory: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the plan (horizon, ncommand), and the memory (nmemory, horizon, ncommand).

        Args:
            score: the objective, finite throughout.
            memory: the last plan first, moved on by one step.
            noise: standard normal, of the planner's colour over time (ndraws, horizon, ncommand).
        """

    def plan(self, objective: Objective, memory: Tensor, noise: Tensor) -> Plan:
        """Return the plan for an objective.

        Args:
            objective: what action sequences return; a return that is not finite is the worst.
            memory: of the plan before; zeros at the start (nmemory, horizon, ncommand).
            noise: standard normal, white (ndraws, horizon, ncommand).
        """
        if self.colour:
            noise = torch.as_tensor(colouring(self.horizon, self.colour), dtype=noise.dtype) @ noise

        sound = torch.zeros((), dtype=torch.bool)

        def score(actions: Tensor) -> Tensor:
            nonlocal sound
            returns = objective(actions)
            finite = torch.isfinite(returns)
            sound = sound | finite.any()
            return torch.where(finite, returns, WORST)

        actions, found = self.search(score, memory, noise)
        sound = sound & torch.isfinite(found).all()
        actions = torch.where(sound, actions, memory[0])
        return Plan(actions, shifted(torch.where(sound, found, memory)), sound)


def nothing_planned(planner: Planner, ncommand: int) -> Tensor:
    """Return the memory before the first plan."""
    return torch.zeros(planner.nmemory, planner.horizon, ncommand)


def shifted(sequences: Tensor) -> Tensor:
    """Return sequences (n, horizon, ncommand) one step later; the last action stays."""
    return torch.cat([sequences[:, 1:], sequences[:, -1:]], dim=1)


def best(sequences: Tensor, scores: Tensor, count: int) -> Tensor:
    """Return the `count` best of sequences (n, horizon, ncommand) by scores (n,), best first."""
    place = torch.arange(len(scores), dtype=scores.dtype)
    return sequences[torch.topk(scores - _TIE * (1.0 + scores.abs()) * place, count).indices]


def within(actions: Tensor) -> Tensor:
    """Return actions within the range of actions."""
    # not clamp: the exporter loses one of two clamps in a row
    return torch.maximum(torch.minimum(actions, actions.new_ones(())), -actions.new_ones(()))
