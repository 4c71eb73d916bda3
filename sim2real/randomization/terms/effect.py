"""The abstract term of an effect: a column of one of the simulator's tables, not of its model."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.randomization.terms.term import Array, SharedTerm, Writer, element_id
from sim2real.sim.effects import Effects
from sim2real.sim.simulator import Ids, Simulator
from sim2real.sim.table import Table


@final
class EffectWriter(Writer):
    """Writes each parameter of a table once, however many columns of it have a term."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        groups: dict[type, list[tuple[int, EffectTerm]]] = {}  # a class is one parameter
        for i, term in enumerate(terms):
            assert isinstance(term, EffectTerm)
            groups.setdefault(type(term), []).append((i, term))
        self._groups = [
            ([term for _, term in group], np.array([i for i, _ in group]))
            for group in groups.values()
        ]
        self._places = [np.array([term.place for term in terms]) for terms, _ in self._groups]

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        rows = ids[:, None]
        for (terms, columns), places in zip(self._groups, self._places, strict=True):
            part, first = values[:, columns], terms[0]
            first.check(part)
            first.table(sim.effects).expand(first.parameter)[rows, places] = part


class EffectTerm(SharedTerm):
    """A number of `sim.effects`, off at its nominal value."""

    fields = ()
    writer = EffectWriter
    parameter: ClassVar[str]
    """Its name in the table."""
    defaults: ClassVar[Mapping[str, float]]
    """The table's nominal values."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.place = self.column(model, joints)
        self.nominal = self.defaults[self.parameter]

    @abstractmethod
    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        """Return which column of the table; raises ParameterError if there is none."""

    def check(self, values: Array) -> None:
        """Raise ParameterError if values (n, k) of `k` such terms cannot be simulated here."""

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
