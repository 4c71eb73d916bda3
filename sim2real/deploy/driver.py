"""What connects a controller to a robot: five methods, whatever they run over.

A driver need not inherit from anything. Time in it is the robot's own: the stamp of a measurement
and the end of a command's validity are of one clock, so no two clocks need to agree.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import LinkError
from sim2real.robot import Robot
from sim2real.signals import Measured

Array = NDArray[np.float64]


class StopMode(IntEnum):
    """How a robot stops; what a robot cannot do becomes the next one above."""

    DAMP = 0
    """Motors brake: energy leaves the robot. What every robot must be able to do."""
    HOLD = 1
    """Servos hold the pose that is measured now, until the next command or `stop`."""
    OFF = 2
    """No current in the motors: the robot may fall."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a robot says of itself beside its signals."""

    temperature: Array | None = None
    """Of the motors, in the order of the driven joints (ncommand,) [°C]."""
    voltage: float | None = None
    """Of the supply [V]."""


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
    health: Health | None = None
    """None where the robot does not tell."""
    acting: bool | None = None
    """Whether the robot acts on a command, or damps; None where it does not tell."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A lease: what the robot does until `valid_until`, when it damps unless another one came."""

    seq: int
    """Larger with each command; a receiver takes no other."""
    valid_until: int
    """By the clock of the measurements' stamps [ns]."""
    target: Array
    """(ncommand,) [Nm, or rad], in the order of the driven joints."""
    stiffness: float = 1.0
    """Share of the servos' `kp` in [0, 1], position mode: 0 damps, 1 is the robot's own."""

    def softened(self, position: Array, servo: NDArray[np.bool_]) -> Array:
        """Return the targets (ncommand,) with which servos of whole kp give that share's torque.

        Args:
            position: of the driven joints, measured now (ncommand,) [rad].
            servo: which of them are in position mode (ncommand,).
        """
        if self.stiffness == 1.0:
            return self.target  # not rounded on its way
        soft = position + self.stiffness * (self.target - position)
        return np.where(servo, soft, self.target)


class RobotDriver(Protocol):
    """The connection to one robot."""

    @property
    def robot(self) -> Robot:
        """The robot that it drives."""
        ...

    def open(self) -> None:
        """Connect, and leave the robot damped; does nothing if it is open.

        Raises:
            LinkError: the robot is not there, is another one, or somebody else commands it.
        """
        ...

    def read(self) -> Measurement | None:
        """Return the newest measurement, None before the first; waits no longer than 1 ms.

        Raises:
            LinkError: the driver is not open, or the connection broke.
        """
        ...

    def write(self, command: Command) -> None:
        """Hand a command on; the robot's side damps when it lapses, whatever happens here.

        Raises:
            LinkError: the driver is not open, the command is not finite or of another size, or it
                cannot be sent.
        """
        ...

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        """Stop the robot now, and drop what it was told before.

        Never raises and never waits, in any state: before `open`, twice, from a signal handler,
        in the middle of an exception.
        """
        ...

    def close(self) -> None:
        """Damp, and let go of the robot; never raises; does nothing if it is closed."""
        ...


@runtime_checkable
class Resettable(Protocol):
    """A robot that can put itself back to its start, as a simulated one can."""

    def reset(self) -> None:
        """Return once the robot is at its start, damped; raises LinkError if it does not do it."""
        ...


Driver = TypeVar("Driver", bound=RobotDriver)


@contextlib.contextmanager
def connected(driver: Driver) -> Iterator[Driver]:
    """Open a driver, and close it whatever happens."""
    try:
        driver.open()
        yield driver
    finally:
        driver.close()


def check_command(robot: Robot, command: Command) -> None:
    """Refuse what no driver may send; raises LinkError."""
    target = command.target
    if target.shape != (len(robot.driven),) or not np.isfinite(target).all():
        raise LinkError(
            f"command {target} refused: {len(robot.driven)} finite values are needed, for"
            f" {', '.join(robot.driven)}"
        )
    if not 0.0 <= command.stiffness <= 1.0:
        raise LinkError(f"stiffness {command.stiffness} refused: a share of kp in [0, 1] is needed")
