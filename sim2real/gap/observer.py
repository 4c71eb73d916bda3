"""What a robot measures, as the state of a transition."""

from abc import ABC, abstractmethod
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.coordinates import views
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError, GapError
from sim2real.gap.transitions import Transitions
from sim2real.robot import Robot
from sim2real.rotation import projected_gravity
from sim2real.signals import Measured
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]
Ended = NDArray[np.bool_] | None


class Reader(ABC):
    """Measured signals → transitions of one robot. Each subclass is final."""

    robot: Robot
    sizes: tuple[int, int, int]
    """Of a state, an action and a change."""

    @abstractmethod
    def transitions(
        self, before: Measured, command: Array, after: Measured, ended: Ended = None
    ) -> Transitions:
        """Return the transitions of `n` robots under commands (n, ncommand).

        `ended` tells for which of them the task was over then (n,); for none, if not given.
        """

    def of_log(self, log: Trajectory) -> Transitions:
        """Return a recording's transitions from control step to control step.

        Raises:
            GapError: its rows are further apart than control steps.
        """
        hz, time = self.robot.control_hz, log.seconds
        if log.rate < 0.8 * hz:
            raise GapError(
                f"{log.source}: {log.rate:.0f} rows a second are fewer than the {hz:g} control"
                " steps of the robot: record at its control rate"
            )
        wanted = np.arange(0.0, time[-1] + 0.5 / hz, 1.0 / hz)
        rows = np.minimum(np.searchsorted(time, wanted - 1e-6), len(time) - 1)
        whole = np.abs(np.diff(time[rows]) * hz - 1.0) < 0.25
        before, after = rows[:-1][whole], rows[1:][whole]
        measured, command = log.measured, log.commands_at(log.time[before])
        return self.transitions(measured.of(before), command, measured.of(after))


@final
class StateReader(Reader):
    """Measured signals → states (n, nstate) and their changes, of one robot at one task.

    A position that the policy does not see is left out: how far a runner has come tells the
    domains apart, and nothing of their dynamics. One that it sees as an angle is its sine and
    cosine. Both follow from the task's own observation. That the task is over is part of what a
    state changes by: a fall that only one domain ends with is a gap.
    """

    def __init__(self, env: RobotVectorEnv):
        self.robot = env.robot
        kinds = np.array(views(env))
        self._plain = np.flatnonzero(kinds == "plain")
        self._angles = np.flatnonzero(kinds == "angle")
        njoint = len(env.robot.joints)
        base = 0 if env.robot.base is None else 6
        nseen = len(self._plain) + len(self._angles)
        self.sizes = (
            nseen + len(self._angles) + njoint + base,
            len(env.robot.driven),
            nseen + njoint + base + 1,
        )

    def state(self, measured: Measured) -> Array:
        """Return states (n, nstate)."""
        position = measured.position
        angles = position[:, self._angles]
        parts = [position[:, self._plain], np.sin(angles), np.cos(angles), measured.velocity]
        return np.concatenate([*parts, *self._base(measured)], axis=1)

    def transitions(  # noqa: D102
        self, before: Measured, command: Array, after: Measured, ended: Ended = None
    ) -> Transitions:
        turned = after.position - before.position
        wrapped = np.pi - np.mod(np.pi - turned[:, self._angles], 2.0 * np.pi)
        parts = [turned[:, self._plain], wrapped, after.velocity - before.velocity]
        pairs = zip(self._base(before), self._base(after), strict=True)
        over = np.zeros(len(turned)) if ended is None else ended.astype(float)
        change = np.concatenate([*parts, *(b - a for a, b in pairs), over[:, None]], axis=1)
        return Transitions(state=self.state(before), action=command, change=change)

    def _base(self, measured: Measured) -> list[Array]:
        if measured.orientation is None:
            return []
        return [projected_gravity(measured.orientation), measured.angular_velocity]


@final
class MotionReader(Reader):
    """Positions and velocities of all joints, from which a simulation can be started.

    Raises:
        ConfigError: the base floats: no sensor tells where it is, nor how fast.
    """

    def __init__(self, robot: Robot):
        if robot.base is not None:
            raise ConfigError(
                f"gap: residual: the base of {robot.name!r} floats, and no sensor tells its start:"
                ' use method = "reward", or calibrate'
            )
        self.robot, njoint = robot, len(robot.joints)
        self.sizes = (2 * njoint, len(robot.driven), 2 * njoint)

    def transitions(  # noqa: D102
        self, before: Measured, command: Array, after: Measured, ended: Ended = None
    ) -> Transitions:
        states = [np.concatenate([m.position, m.velocity], axis=1) for m in (before, after)]
        return Transitions.of(states[0], command, states[1])
