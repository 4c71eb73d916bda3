"""The one seam between the package and a physics engine."""

from abc import ABC, abstractmethod
from typing import Any

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.base import BaseState
from sim2real.sim.effects import Effects

Array = NDArray[np.float64]
Ids = NDArray[np.int32]


class Simulator(ABC):
    """`nsim` simulations of one robot, stepped together.

    Joints stand in the robot's order; positions are in rad or m. The physics of each simulation
    is what its row of `fields` says: an engine other than MuJoCo builds itself from that.
    """

    robot: Robot
    model: mujoco.MjModel
    """The nominal model, compiled from the robot."""
    effects: Effects
    """What is between the physics and the controller; `position` and `velocity` are the truth."""
    fields: mujoco.batch.Batch
    """Per-simulation model fields: write to `fields.expand(name)`, then `fields.set_const(ids)`.

    An engine takes what was written for a simulation at that simulation's next `reset`, or when
    `update` is called.
    """

    @property
    def nsim(self) -> int:
        """Number of simulations."""
        return self.fields.nsim

    @property
    def truth(self) -> dict[str, Array]:
        """The true signals, each (nsim, size), that `effects.sensors` measures."""
        truth = {"position": self.position, "velocity": self.velocity}
        if (base := self.base) is not None:
            truth |= {"orientation": base.orientation, "angular_velocity": base.angular_velocity}
        return truth

    def measure(self, rows: Any = slice(None)) -> Measured:
        """Return what the sensors of simulations `rows` report now, each signal (n, size)."""
        return Measured(**self.effects.sensors.measure(self.truth, self.effects.clock, rows))

    @property
    @abstractmethod
    def position(self) -> Array:
        """True joint positions (nsim, njoint); copy what must outlive the next step."""

    @property
    @abstractmethod
    def velocity(self) -> Array:
        """True joint velocities (nsim, njoint); copy what must outlive the next step."""

    @property
    @abstractmethod
    def base(self) -> BaseState | None:
        """True state of the floating base, None without one; copy what must outlive a step."""

    @property
    @abstractmethod
    def tip(self) -> tuple[Array, Array]:
        """World position (nsim, 3) and rotation matrix (nsim, 3, 3) of the robot's tip."""

    @property
    @abstractmethod
    def diverged(self) -> NDArray[np.bool_]:
        """Which simulations blew up in the last step, (nsim,): their state means nothing."""

    @abstractmethod
    def reset(
        self,
        ids: Ids,
        position: Array,
        velocity: Array,
        command: Array,
        base: BaseState | None = None,
    ) -> None:
        """Start simulations `ids` (n,) from joint states (n, njoint).

        `command` (n, ncommand) is what was sent before the start: it fills the delays. `base` is
        where a floating base starts: at home, at rest, if not given.
        """

    @abstractmethod
    def update(self, ids: Ids) -> None:
        """Take what was written to `fields` for simulations `ids` (n,); their states stay."""

    @abstractmethod
    def step(self, command: Array) -> None:
        """Advance by one control step with `command` (nsim, ncommand) held."""
