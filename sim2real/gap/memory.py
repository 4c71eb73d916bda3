"""Transitions of both domains, of the same ages."""

from typing import Any, final

import numpy as np

from sim2real.gap.transitions import Transitions


@final
class Memory:
    """A ring of the last transitions.

    The classifier of (s, a) tells how old a policy is as easily as where it acted: what it is
    given of one domain must have been collected when that of the other was.
    """

    def __init__(self, capacity: int):
        self.capacity, self._next = capacity, 0
        self._kept: Transitions | None = None

    def __len__(self) -> int:
        return 0 if self._kept is None else len(self._kept)

    @property
    def transitions(self) -> Transitions:
        """What is kept, in an order in which a row stays where it is until it is replaced."""
        assert self._kept is not None  # callers add first
        return self._kept

    def add(self, new: Transitions) -> None:
        """Keep transitions in the place of the oldest."""
        new = new[-self.capacity :]
        room = self.capacity - len(self)
        if room:
            first = new[:room]
            self._kept = first if self._kept is None else Transitions.join([self._kept, first])
            new = new[room:]
        rows = (self._next + np.arange(len(new))) % self.capacity
        for name in ("state", "action", "change"):
            getattr(self.transitions, name)[rows] = getattr(new, name)
        self._next = int(self._next + len(new)) % self.capacity

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        kept = None if self._kept is None else {k: v.copy() for k, v in vars(self._kept).items()}
        return {"kept": kept, "next": self._next}

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        kept = data["kept"]
        self._kept = None if kept is None else Transitions(**{k: v.copy() for k, v in kept.items()})
        self._next = data["next"]
