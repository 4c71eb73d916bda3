"""What robots did, and the windows of it that models learn from."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sim2real.errors import MetaError
from sim2real.meta.dynamics import Window


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """Transitions of `n` robots over `t` control steps each."""

    states: Tensor
    """(n, t, nstate)."""
    commands: Tensor
    """(n, t, ncommand)."""
    next_states: Tensor
    """(n, t, nstate)."""
    good: Tensor
    """Whether a transition can be learned from: the simulation did not diverge (n, t)."""
    episode: Tensor
    """The number of the episode that it belongs to: windows do not cross an end (n, t)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of robots, and of control steps of each."""
        return self.good.shape[0], self.good.shape[1]

    def __getitem__(self, rows: slice | Tensor) -> "Episodes":
        return Episodes(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def join(cls, parts: Sequence["Episodes"]) -> "Episodes":
        """Return the episodes of all parts, which took equally many steps."""
        return cls(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)})

    def window(self, robot: Tensor, step: Tensor, before: int, after: int) -> Window:
        """Return the transitions from `before` steps ahead of `step` (k,) to `after` behind it.

        Those of another episode than the one at `step` are unknown.
        """
        rows = step[:, None] + torch.arange(-before, after)
        rows, inside = rows.clamp(0, self.shape[1] - 1), (rows >= 0) & (rows < self.shape[1])
        who = robot[:, None]
        same = self.episode[who, rows] == self.episode[robot, step][:, None]
        known = self.good[who, rows] & same & inside
        return Window(
            self.states[who, rows],
            self.commands[who, rows],
            self.next_states[who, rows],
            known.to(self.states.dtype),
        )

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return robots and steps (count,) drawn from all good transitions.

        Raises:
            MetaError: there is none.
        """
        robots, steps = self.good.nonzero(as_tuple=True)
        if not len(robots):
            raise MetaError("no transition is good: every simulation diverged")
        rows = torch.randint(len(robots), (count,), generator=generator)
        return robots[rows], steps[rows]
