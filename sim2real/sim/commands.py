"""What becomes of a command between the controller and the actuators."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.sim.clock import Clock
from sim2real.sim.table import Table

Array = NDArray[np.float64]

NOMINAL = {"dropout": 0.0, "delay_jitter": 0.0}


@final
class CommandPath:
    """The way of the commands to `nu` actuators of `nsim` simulations.

    Lost packets leave an actuator with the last command that arrived. The constant part of the
    delay is MuJoCo's own (`actuator_delay`); what varies from command to command is here.
    """

    def __init__(self, nsim: int, nu: int):
        self._nu = nu
        self.parameters = Table(nsim, nu, NOMINAL)
        self.memory: dict[str, Array] = {}
        """`held` (nsim, nu): the last commands that arrived."""

    def reset(self, rows: NDArray[Any], command: Array) -> None:
        """Start simulations `rows` (n,) with `command` (n, nu) as the last that arrived."""
        if self.parameters.uses("dropout"):
            shape = (len(self.parameters.value("dropout")), self._nu)
            self.memory.setdefault("held", np.zeros(shape))[rows] = command

    def send(self, command: Array, clock: Clock) -> Array:
        """Return what arrives at the actuators, (nsim, nu), of `command` (nsim, nu)."""
        if "held" not in self.memory:
            return command
        lost = clock.uniform("command dropout", self._nu) < self.parameters.value("dropout")
        self.memory["held"] = np.where(lost, self.memory["held"], command)
        return self.memory["held"]

    def jitter(self, clock: Clock) -> Array | None:
        """Return how much longer than its actuator's delay each command takes [s], (nsim, nu)."""
        jitter = self.parameters.get("delay_jitter")
        return None if jitter is None else jitter * clock.uniform("command delay", self._nu)
