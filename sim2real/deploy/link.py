"""The connection to a robot, whatever it runs over."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim2real.signals import Measured

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What a robot reported at one instant."""

    seq: int
    """Counts the robot's measurements."""
    stamp: int
    """When it was taken, by the robot's clock [ns]."""
    received: int
    """When it was fresh, by this computer's `time.monotonic_ns` [ns]."""
    signals: Measured
    """What the sensors said, each signal (size,)."""


class Link(ABC):
    """The connection to one robot; a context manager that leaves the robot damped."""

    @abstractmethod
    def open(self) -> None:
        """Connect to the robot; raises LinkError if it is not there or is another one."""

    @abstractmethod
    def read(self) -> Measurement | None:
        """Return the newest measurement, None before the first; never waits."""

    @abstractmethod
    def write(self, command: Array, valid_for: float) -> None:
        """Send a command (ncommand,) that the robot holds for `valid_for` [s], then it damps.

        The time counts from the newest measurement that was read. Raises LinkError if the command
        is not finite or cannot be sent.
        """

    @abstractmethod
    def damp(self) -> None:
        """Make the robot damp now; never raises, whatever state the link is in."""

    @abstractmethod
    def reset(self) -> None:
        """Put the robot back to its start; raises LinkError if it does not do that."""

    @abstractmethod
    def close(self) -> None:
        """Damp, and let go of the robot; never raises."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
