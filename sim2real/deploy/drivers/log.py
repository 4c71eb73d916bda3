"""A log as a robot: what was measured comes again when it came, and commands move nothing."""

from typing import final

import numpy as np

from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Command, Measurement, StopMode, check_command
from sim2real.errors import LinkError, LogError
from sim2real.robot import Robot
from sim2real.signals import Measured, measured_signals
from sim2real.trajectory import Trajectory

_EPOCH = 1_000_000_000  # ns: no clock begins at 0


@final
class LogDriver(Clock):
    """A `RobotDriver` over a log, and the clock to run it by: as fast as the controller is.

    What would another controller have wanted, how often would the envelope have stepped in, how far
    from its training was the robot? Run it in shadow: a log does not come home, nor obey.
    """

    def __init__(self, robot: Robot, log: Trajectory):
        """Take the log of a motion.

        Args:
            robot: the robot that was recorded.
            log: of any source; one of a robot with a floating base needs its IMU.

        Raises:
            LogError: the log is one of other joints, or lacks what the robot measures.
        """
        if log.joints != tuple(robot.joints):
            raise LogError(
                f"{log.source}: a log of the joints {', '.join(log.joints)}; {robot.name!r} has"
                f" {', '.join(robot.joints)}, in this order"
            )
        rows = {name: getattr(log, name) for name in measured_signals(robot)}
        missing = [name for name, values in rows.items() if values is None]
        if missing:
            raise LogError(f"{log.source}: {robot.name!r} measures {missing}, the log does not")
        self.robot = robot
        self.commands: list[Command] = []
        """What was written: a log obeys nothing."""
        self._rows = Measured(**rows)
        self._stamps = log.time - log.time[0] + _EPOCH
        self._time, self._open = _EPOCH, False

    @property
    def seconds(self) -> float:
        """How long the log is [s]."""
        return float(self._stamps[-1] - _EPOCH) * 1e-9

    def open(self) -> None:  # noqa: D102
        self._open = True

    def read(self) -> Measurement | None:  # noqa: D102
        if not self._open:
            raise LinkError("the log is not open: call open() first")
        row = int(np.searchsorted(self._stamps, self._time, side="right")) - 1
        stamp = int(self._stamps[row])
        signals = self._rows.of(row)
        return Measurement(seq=row + 1, stamp=stamp, received=stamp, signals=signals)

    def write(self, command: Command) -> None:  # noqa: D102
        if not self._open:
            raise LinkError("the log is not open: call open() first")
        check_command(self.robot, command)
        self.commands.append(command)

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        """Do nothing: nothing moves."""

    def close(self) -> None:  # noqa: D102
        self._open = False

    def now(self) -> int:  # noqa: D102
        return self._time

    def sleep_until(self, deadline: int) -> None:  # noqa: D102
        self._time = max(self._time, deadline)
