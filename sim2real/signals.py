"""What a robot's sensors report: named signals, their sizes, units and frames, in one order.

The order holds everywhere: in a datagram, a recording's row, an exported graph's inputs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One measured quantity."""

    size: int
    unit: str
    frame: str
    """What its numbers refer to."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the sensors of n robots report, arrays (n, size) of any library; or of one, (size,)."""

    position: Any
    """Of the joints [rad, or m]."""
    velocity: Any
    """Of the joints [rad/s, or m/s]."""
    orientation: Any = None
    """Of a floating base: unit quaternion w x y z, world ← base. None for a robot without one."""
    angular_velocity: Any = None
    """Of a floating base, in its own frame [rad/s]: what a gyroscope reports."""

    @classmethod
    def split(cls, robot: Robot, row: NDArray[Any]) -> "Measured":
        """Return the signals of numbers in the order of `measured_signals`, (m,) or (n, m)."""
        signals = measured_signals(robot)
        ends = np.cumsum([signal.size for signal in signals.values()])
        return cls(**dict(zip(signals, np.split(row, ends[:-1], axis=-1), strict=True)))

    def of(self, index: Any) -> "Measured":
        """Return the signals of one robot, or of some: of `value[index]` for each."""
        return Measured(**{name: value[index] for name, value in self.signals().items()})

    def row(self) -> list[float]:
        """Return one robot's signals as one row of numbers, which `split` takes apart."""
        return [number for signal in self.signals().values() for number in signal.tolist()]

    def joined(self) -> Array:
        """Return all signals side by side, (n, numbers) or (numbers,); numpy's arrays."""
        return np.concatenate(list(self.signals().values()), axis=-1)

    def signals(self) -> dict[str, Any]:
        """Return the signals that there are, by name and in order."""
        return {name: value for name, value in vars(self).items() if value is not None}


def measured_signals(robot: Robot) -> dict[str, Signal]:
    """Return what a robot measures, by name and in order."""
    njoint = len(robot.joints)
    signals = {
        "position": Signal(size=njoint, unit="rad or m", frame="joints"),
        "velocity": Signal(size=njoint, unit="rad/s or m/s", frame="joints"),
    }
    if robot.base is not None:
        signals["orientation"] = Signal(size=4, unit="quaternion w x y z", frame="world ← base")
        signals["angular_velocity"] = Signal(size=3, unit="rad/s", frame="base")
    return signals


def row_size(robot: Robot) -> int:
    """Return how many numbers a robot measures."""
    return sum(signal.size for signal in measured_signals(robot).values())
