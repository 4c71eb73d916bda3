"""Transitions of a robot, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import GapError

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Transitions:
    """`n` transitions (s, a, s' − s); the change is given, for an angle's is not a difference.

    Raises:
        GapError: the arrays do not belong together, or are not finite.
    """

    state: Array
    """(n, nstate)."""
    action: Array
    """(n, naction)."""
    change: Array
    """What the state changed by (n, nchange)."""

    def __post_init__(self) -> None:
        sizes = {field.name: np.shape(getattr(self, field.name)) for field in fields(self)}
        if (
            any(len(shape) != 2 for shape in sizes.values())
            or len({s[0] for s in sizes.values()}) > 1
        ):
            raise GapError(f"transitions: shapes {sizes}: each must be (n, size), with the same n")
        for name in sizes:
            wrong = np.flatnonzero(~np.isfinite(getattr(self, name)).all(axis=1))
            if wrong.size:
                raise GapError(
                    f"transitions: {name} is not finite in {wrong.size} of {len(self)} rows, first"
                    f" in row {wrong[0]}: leave those rows out"
                )

    def __len__(self) -> int:
        return len(self.state)

    def __getitem__(self, rows: Any) -> "Transitions":
        return Transitions(
            state=self.state[rows], action=self.action[rows], change=self.change[rows]
        )

    @classmethod
    def of(cls, state: Array, action: Array, next_state: Array) -> "Transitions":
        """Return transitions of states whose numbers can be subtracted."""
        return cls(state=state, action=action, change=next_state - state)

    @classmethod
    def join(cls, parts: Sequence["Transitions"]) -> "Transitions":
        """Return the transitions of all parts, one after the other."""
        return cls(
            state=np.concatenate([part.state for part in parts]),
            action=np.concatenate([part.action for part in parts]),
            change=np.concatenate([part.change for part in parts]),
        )
