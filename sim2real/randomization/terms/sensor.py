"""Terms of the encoders: bias and noise of what a joint reports, nominally none."""

from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.errors import ParameterError, known
from sim2real.randomization.terms.term import Array, Term
from sim2real.sim.simulator import Ids, Simulator


class _SensorTerm(Term):
    """A column of one of the simulator's sensor arrays."""

    fields = ()
    attribute: ClassVar[str]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        if self.name.object not in joints:
            raise ParameterError(
                f"'{self.name}': the robot has no joint {self.name.object!r}"
                f"{known(self.name.object, joints)}"
            )
        self._joint = joints.index(self.name.object)
        self.nominal = 0.0

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        getattr(sim.sensors, self.attribute)[ids, self._joint] = values


@final
class PositionBias(_SensorTerm):
    """Encoder offset, constant over an episode."""

    summary, unit, bounds = "encoder offset", "rad", (-np.inf, np.inf)
    attribute = "position_bias"


@final
class PositionNoise(_SensorTerm):
    """Standard deviation of the position's white noise."""

    summary, unit, bounds = "standard deviation of the measured position", "rad", (0.0, np.inf)
    attribute = "position_noise"


@final
class VelocityBias(_SensorTerm):
    """Offset of the measured velocity, constant over an episode."""

    summary, unit, bounds = "offset of the measured velocity", "rad/s", (-np.inf, np.inf)
    attribute = "velocity_bias"


@final
class VelocityNoise(_SensorTerm):
    """Standard deviation of the velocity's white noise."""

    summary, unit, bounds = "standard deviation of the measured velocity", "rad/s", (0.0, np.inf)
    attribute = "velocity_noise"
