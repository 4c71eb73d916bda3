"""The abstract term: one dynamics parameter of one model, and how to write it."""

from abc import ABC, abstractmethod
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]


class Term(ABC):
    """A dynamics parameter, resolved on a model.

    The class says what it is, the instance which one. `nominal` is its value in the model.
    """

    summary: ClassVar[str]
    """One line for the table of parameters."""
    unit: ClassVar[str]
    bounds: ClassVar[tuple[float, float]]
    """What is physically possible; values beyond are refused."""
    fields: ClassVar[tuple[str, ...]]
    """The MjModel fields that it writes; empty for what is not in the model."""
    size: ClassVar[int] = 1
    """How many numbers the attribute has: above 1, the name needs an index."""

    nominal: float

    def __init__(self, model: mujoco.MjModel, name: ParameterName, joints: tuple[str, ...]):
        self.name = name
        if (name.index is not None) != (self.size > 1) or (name.index or 0) >= self.size:
            wanted = f"[0] to [{self.size - 1}]" if self.size > 1 else "no index"
            raise ParameterError(f"'{name}': {name.kind}.{name.attribute} takes {wanted}")
        self.resolve(model, joints)

    @abstractmethod
    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        """Look up the element and set `nominal`; raises ParameterError if there is none."""

    @abstractmethod
    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        """Write `values` (n,) to the simulations `ids` (n,)."""

    @property
    def together(self) -> tuple[str, ...]:
        """Names of parameters, this one among them, that are only possible together.

        None by default: `bounds` says all. Terms that share a condition give the same names.
        """
        return ()

    def possible(self, values: Array) -> NDArray[np.bool_]:
        """Return which rows (n,) of values (n, len(together)) are possible together."""
        return np.ones(len(values), bool)

    @property
    def index(self) -> int:
        """Which number of the attribute."""
        return self.name.index or 0

    @property
    def needs_set_const(self) -> bool:
        """Whether constants that MuJoCo derives depend on this parameter."""
        return not set(self.fields).isdisjoint(mujoco.MjModel._setconst_inputs)  # type: ignore[attr-defined]


def element_id(model: mujoco.MjModel, name: ParameterName) -> int:
    """Return the id of the element that `name` names; raises ParameterError with the near ones."""
    try:
        return getattr(model, name.kind)(name.object).id
    except KeyError:
        count = {"body": model.nbody, "joint": model.njnt, "geom": model.ngeom,
                 "actuator": model.nu}[name.kind]  # fmt: skip
        names = [getattr(model, name.kind)(i).name for i in range(count)]
        raise ParameterError(
            f"'{name}': the model has no {name.kind} {name.object!r}"
            f"{known(name.object, filter(None, names))}"
        ) from None
