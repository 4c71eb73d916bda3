"""All between the physics and the controller: sensors, commands, drives, pushes, one clock."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.signals import measured_signals
from sim2real.sim.clock import Clock
from sim2real.sim.commands import CommandPath
from sim2real.sim.friction import DryFriction
from sim2real.sim.pushes import Pushes
from sim2real.sim.sensors import Sensors
from sim2real.sim.servos import Servos

Array = NDArray[np.float64]


@final
class Effects:
    """The effects in `nsim` simulations of a robot, all off until a parameter is expanded.

    A simulator takes what was written for a simulation at that simulation's next `reset`.
    """

    def __init__(self, robot: Robot, nsim: int, nbody: int):
        njoint = len(robot.joints)
        self.clock = Clock(nsim, robot.control_hz)
        signals = measured_signals(robot)
        self.sensors = Sensors(
            nsim,
            {name: signal.size for name, signal in signals.items()},
            vectors=[name for name in signals if name == "angular_velocity"],
            orientations=[name for name in signals if name == "orientation"],
        )
        self.commands = CommandPath(nsim, len(robot.driven))
        self.servos = Servos(nsim, robot)
        self.friction = DryFriction(nsim, njoint)
        self.pushes = Pushes(nsim, nbody)

    def reset(self, rows: NDArray[Any], truth: Mapping[str, Array], command: Array) -> None:
        """Start simulations `rows` (n,): nothing is remembered.

        Args:
            rows: which.
            truth: the true signals of all simulations, each (nsim, size).
            command: what was sent to `rows` before the start, (n, nu).
        """
        self.clock.step[rows] = 0
        self.sensors.reset(rows, truth, self.clock)
        self.commands.reset(rows, command)
        self.servos.reset(rows)

    def advance(self, truth: Mapping[str, Array]) -> None:
        """End a control step, with the true signals (nsim, size) at its end."""
        self.clock.step += 1
        self.sensors.advance(truth, self.clock)

    @property
    def within_step(self) -> bool:
        """Whether anything acts on the physics during a control step."""
        return bool(
            self.servos.parameters.uses()
            or self.friction.used
            or self.pushes.used
            or self.commands.parameters.uses("delay_jitter")
        )

    @property
    def every_physics_step(self) -> bool:
        """Whether anything changes from one physics step to the next."""
        return self.servos.every_physics_step or self.friction.used

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what they remember: all that is needed to continue exactly."""
        memory = {
            f"{part}.{name}": array.copy()
            for part, memory in self._memories().items()
            for name, array in memory.items()
        }
        return {"step": self.clock.step.copy(), **memory}

    def load_state_dict(self, data: Mapping[str, NDArray[Any]]) -> None:
        """Continue from what `state_dict` returned, in the same worlds."""
        self.clock.step[...] = data["step"]
        for part, memory in self._memories().items():
            prefix = f"{part}."
            memory.clear()
            memory |= {
                name.removeprefix(prefix): array.copy()
                for name, array in data.items()
                if name.startswith(prefix)
            }

    def _memories(self) -> dict[str, dict[str, Array]]:
        signals = self.sensors.signals
        return {
            "commands": self.commands.memory,
            "servos": self.servos.memory,
            "friction": self.friction.memory,
            **{f"sensors.{name}": signal.memory for name, signal in signals.items()},
        }
