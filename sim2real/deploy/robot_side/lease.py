"""The receiving end of a command: it holds while its lease lasts, then the robot damps.

This is the hold and damp loop of a robot whose firmware has none. It runs on the robot's side, at
the robot's own rate: a controller that is late, stopped or gone cannot leave a command behind.
"""

from typing import final

import numpy as np

from sim2real.deploy.driver import Array, Command, StopMode
from sim2real.deploy.robot_side.damping import damp_command
from sim2real.robot import Robot
from sim2real.signals import Measured

LONGEST = 1_000_000_000
"""What a lease may last at most, whatever a command says [ns]."""


@final
class Lease:
    """What a robot acts on, turn by turn; from the start it damps."""

    def __init__(self, robot: Robot):
        self.robot = robot
        self._index = np.array([list(robot.joints).index(name) for name in robot.driven])
        self._servo = np.array([robot.joints[name].mode == "position" for name in robot.driven])
        # where the robot rests, until its encoders have said where it is
        self._position = np.array([joint.home for joint in robot.joints.values()])
        self._velocity = np.zeros(len(robot.joints))
        self._command: Command | None = None
        self._mode, self._held = StopMode.DAMP, self._position
        self._newest = self._until = 0

    @property
    def damping(self) -> bool:
        """Whether no command is held."""
        return self._command is None

    @property
    def command(self) -> Command | None:
        """The command that is held, as it was given; None while the robot damps."""
        return self._command

    @property
    def mode(self) -> StopMode:
        """How the robot stops when no command is held."""
        return self._mode

    def begin(self) -> None:
        """Damp, and take commands of any number from now on: another client has come."""
        self._newest = 0
        self.stop()

    def take(self, command: Command, now: int) -> bool:
        """Hold a command from `now` on [ns]; return False if an equal or newer one has come."""
        if command.seq <= self._newest:
            return False
        self._newest, self._command = command.seq, command
        self._until = min(command.valid_until, now + LONGEST)
        return True

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        """Drop the command."""
        self._command, self._mode, self._held = None, mode, self._position

    def act(self, now: int, measured: Measured) -> Array:
        """Return the command (ncommand,) [Nm, or rad] to act on until the next turn.

        Args:
            now: the robot's clock [ns].
            measured: what the robot measures, each signal (size,). If it is not finite, the robot
                damps by what it measured last.
        """
        sane = bool(np.isfinite(measured.row()).all())
        if sane:
            self._position, self._velocity = measured.position, measured.velocity
        if self._command is not None and not (sane and now < self._until):
            self.stop()
        if self._command is not None:
            return self._command.softened(self._position[self._index], self._servo)
        return self._stopped()

    def _stopped(self) -> Array:
        damped = damp_command(self.robot, self._position, self._velocity)
        if self._mode == StopMode.HOLD:
            return np.where(self._servo, self._held[self._index], damped)
        return np.where(self._servo, damped, 0.0) if self._mode == StopMode.OFF else damped
