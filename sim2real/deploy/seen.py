"""What a policy met in training: how far outside of it a robot is, and which goals it knows."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import final

import numpy as np

from sim2real.deploy.envelope.bounds import Array, Envelope
from sim2real.errors import ControllerError
from sim2real.signals import Measured

Seen = Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
"""Signal, or `goal` → least and most of each of its numbers; empty if nobody noted it."""

ANYTHING = 1e9
"""The end of a range that says nothing: where a joint turns for ever, any angle is as good."""

_NARROWEST = 0.01  # rad, rad/s: what stood still in training may move by that much
_ROUNDING = 0.01  # share of a range by which a goal may be outside: its ends are those of a sample


def outside(low: Array, high: Array, row: Array) -> Array:
    """Return how far outside its range each number is, in widths of the range; 0 within.

    What is not finite is as far outside as a number can be.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.maximum(low - row, row - high) / np.maximum(high - low, _NARROWEST)
    return np.nan_to_num(np.maximum(away, 0.0), nan=np.finfo(np.float64).max)


def ranges(seen: Seen, signals: Sequence[str]) -> tuple[Array, Array]:
    """Return the least and most that was seen of the numbers of `signals`, one after the other."""
    low, high = ([part for name in signals for part in seen[name][end]] for end in (0, 1))
    return np.array(low), np.array(high)


@final
class Novelty:
    """How far outside of what a policy met in training a robot was at most."""

    def __init__(self, seen: Seen, envelope: Envelope):
        self.known = "position" in seen
        """Whether anybody noted it."""
        self.most = 0.0
        """In widths of the range."""
        self.name = ""
        """Which measured number that was: velocity of 'knee'."""
        self._names = envelope.names
        measured = [field.name for field in fields(Measured) if field.name in seen]
        self._low, self._high = ranges(seen, measured)

    def of(self, measured: Measured) -> float:
        """Return how far outside the robot is now, in widths of the range."""
        if not self.known:
            return 0.0
        away = outside(self._low, self._high, measured.joined())
        worst = int(np.argmax(away))
        if away[worst] > self.most:
            self.most, self.name = float(away[worst]), self._names[worst]
        return float(away[worst])


def check_goal(seen: Seen, goal: Array) -> None:
    """Refuse a goal (ngoal,) that training never asked for; raises ControllerError."""
    if "goal" not in seen:
        return
    low, high = map(np.array, seen["goal"])
    slack = _ROUNDING * (high - low) + 1e-6
    good = (goal >= low - slack) & (goal <= high + slack)
    if not good.all():
        i = int(np.argmin(good))
        raise ControllerError(
            f"goal {goal.tolist()}: its number {i} is {goal[i]:.4g}, and the policy was trained on"
            f" {low[i]:.4g} to {high[i]:.4g}: give a goal within, or train on wider ones"
        )
