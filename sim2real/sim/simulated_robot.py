"""A simulation as a driver in the same process: time passes when the control loop sleeps."""

from typing import final

import numpy as np

from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Command, Measurement, StopMode, check_command
from sim2real.deploy.robot_side.lease import Lease
from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.simulator import Simulator
from sim2real.sim.virtual_robot import start_over

_EPOCH = 1_000_000_000  # ns: neither clock begins at 0


@final
class SimulatedRobot(Clock):
    """A `RobotDriver` and the clock to run it by; as fast as the simulation is, and repeatable.

    Between controller and physics stands what stands there on a robot: a `Lease`, turn by turn of
    the simulator's own rate.
    """

    def __init__(self, robot: Robot, simulator: Simulator, *, seed: int = 0):
        """Prepare.

        Args:
            robot: the robot at its controller's rate.
            simulator: one simulation of it, at the rate of the robot's own loop.
            seed: of the sensors' noise.

        Raises:
            RobotError: more than one simulation is given.
        """
        if simulator.nsim != 1:
            raise RobotError(f"a robot is one simulation, {simulator.nsim} are given")
        self.robot, self.simulator, self.lease = robot, simulator, Lease(robot)
        self.applied = np.zeros(len(robot.driven))
        """What the motors were last told (ncommand,) [Nm, or rad]."""
        self._turns, self._time = 0, _EPOCH
        self._period = 1e9 / simulator.robot.control_hz
        clock = simulator.effects.clock
        clock.identify(seed)
        clock.begin(-1)
        clock.steps_per_sample = max(1, round(simulator.robot.control_hz / robot.control_hz))
        self._latest: Measurement | None = None
        self.reset()

    def open(self) -> None:  # noqa: D102
        self.lease.begin()

    def read(self) -> Measurement | None:  # noqa: D102
        return self._latest

    def write(self, command: Command) -> None:  # noqa: D102
        check_command(self.robot, command)
        self.lease.take(command, self._time)

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:  # noqa: D102
        self.lease.stop(mode)

    def close(self) -> None:  # noqa: D102
        self.lease.stop()

    def reset(self) -> None:
        """Put the robot at its home, at rest."""
        self.lease.begin()
        start_over(self.simulator)
        self._measure()

    def now(self) -> int:  # noqa: D102
        return self._time

    def sleep_until(self, deadline: int) -> None:  # noqa: D102
        while self._time < deadline:
            self.turn()

    def turn(self) -> None:
        """Advance by one turn of the robot's own loop."""
        assert self._latest is not None  # reset measured
        self.applied = self.lease.act(self._time, self._latest.signals)
        self.simulator.step(self.applied[None])
        if self.simulator.diverged.any():
            raise RobotError(f"the simulation of {self.robot.name!r} diverged")
        self._turns += 1
        self._time = _EPOCH + round(self._turns * self._period)
        self._measure()

    def _measure(self) -> None:
        views = self.simulator.measure().of(0).signals()  # which the next step overwrites
        signals = Measured(**{name: values.copy() for name, values in views.items()})
        self._latest = Measurement(
            seq=self._turns,
            stamp=self._time,
            received=self._time,
            signals=signals,
            acting=not self.lease.damping,
        )
