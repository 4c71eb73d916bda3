"""What the control loop asks for commands: an exported controller, a designed motion."""

from abc import ABC, abstractmethod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.seen import Seen
from sim2real.signals import Measured

Array = NDArray[np.float64]


class CommandSource(ABC):
    """Measurements in, commands out, once per control step; arrays in the robot's joint order."""

    goal: tuple[float, ...]
    """The goal to pursue when the caller gives none; empty if the source has no goal."""
    origin: dict[str, Any]
    """Where the commands come from, as a recording keeps it."""
    warms_up: bool = False
    """Whether it carries what it saw (a history, a recurrent state) and should watch before."""
    seen: Seen = MappingProxyType({})
    """What it met in training; goals outside of that are refused."""
    blended: bool = False
    """Whether its first commands may be far from where the robot is held."""

    @abstractmethod
    def reset(self, command: Array) -> None:
        """Begin anew, on a robot that holds `command` (ncommand,)."""

    @abstractmethod
    def step(self, measured: Measured, goal: Array) -> Array:
        """Return the next command (ncommand,) [Nm, or rad].

        Args:
            measured: what the robot measures, each signal (size,).
            goal: (ngoal,), as `goal` of the source.
        """

    def counts(self) -> dict[str, int]:
        """Return in how many steps since `reset` something was not as it should be, by name."""
        return {}

    def sent(self, command: Array) -> None:  # noqa: B027 - most sources need not know
        """Hear what was really sent (ncommand,), which may be another command than it asked for."""
