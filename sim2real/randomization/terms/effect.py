"""The abstract term of an effect: a column of one of the simulator's tables, not of its model."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import mujoco

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.randomization.terms.term import Array, Term, element_id
from sim2real.sim.effects import Effects
from sim2real.sim.simulator import Ids, Simulator
from sim2real.sim.table import Table


class EffectTerm(Term):
    """A number of `sim.effects`, off at its nominal value."""

    fields = ()
    parameter: ClassVar[str]
    """Its name in the table."""
    defaults: ClassVar[Mapping[str, float]]
    """The table's nominal values."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._column = self.column(model, joints)
        self.nominal = self.defaults[self.parameter]

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        self.table(sim.effects).expand(self.parameter)[ids, self._column] = values

    @abstractmethod
    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        """Return which column of the table; raises ParameterError if there is none."""

    @abstractmethod
    def table(self, effects: Effects) -> Table:
        """Return the table."""


def joint_index(name: ParameterName, joints: Sequence[str]) -> int:
    """Return where a joint stands in the robot's order; raises ParameterError."""
    if name.object not in joints:
        raise ParameterError(
            f"'{name}': the robot has no joint {name.object!r}{known(name.object, joints)}"
        )
    return list(joints).index(name.object)


def servo_id(model: mujoco.MjModel, name: ParameterName) -> int:
    """Return the actuator of a joint in position mode; raises ParameterError for any other."""
    actuator = element_id(model, name)
    if int(model.actuator_biastype[actuator]) != mujoco.mjtBias.mjBIAS_AFFINE.value:
        raise ParameterError(f"'{name}': only a joint in position mode has a {name.attribute}")
    return actuator
