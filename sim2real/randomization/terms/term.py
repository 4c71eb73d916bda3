"""The abstract term: one dynamics parameter of one model, and how it is written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters.distributions import LogUniform, Normal, Uniform
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]


class Term(ABC):
    """A dynamics parameter, resolved on a model.

    The class says what it is, the instance which one. `nominal` is its value in the model.
    """

    summary: ClassVar[str]
    """One line for the table of parameters."""
    unit: ClassVar[str]
    """Of each number, separated by commas where they differ."""
    bounds: tuple[float, float]
    """What is physically possible; values beyond are refused."""
    fields: ClassVar[tuple[str, ...]]
    """The MjModel fields that it writes; empty for what is not in the model."""
    size: ClassVar[int] = 1
    """How many numbers the attribute has: above 1, the name needs an index."""
    usual: ClassVar[Range | None] = None
    """What others draw when they know nothing better."""
    source: ClassVar[str] = ""
    """Who draws that, or why."""

    nominal: float

    def __init__(self, model: mujoco.MjModel, name: ParameterName, joints: tuple[str, ...]):
        self.name, self.model = name, model
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

    def make_room(self, sim: Simulator, largest: float) -> None:  # noqa: B027 - few need any
        """Prepare `sim` for values up to `largest` in the middle of an episode."""

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

    def refuse(self, reason: str) -> ParameterError:
        """Return the error that says why there is no such parameter on this element."""
        return ParameterError(f"'{self.name}': {reason}")


class Writer(ABC):
    """Writes all terms of one kind at once: those that share a field, or act on each other.

    A parameter without a term keeps its nominal value.
    """

    @abstractmethod
    def __init__(self, model: mujoco.MjModel, terms: Sequence["SharedTerm"]):
        """Prepare to write `terms`, the columns of the values, on `model`."""

    @abstractmethod
    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        """Write `values` (n, nterm) to the simulations `ids` (n,)."""


class SharedTerm(Term):
    """A term that is written together with all others of its writer."""

    writer: ClassVar[type[Writer]]

    def touches(self) -> set[tuple[str, int]]:
        """Return the numbers, as (field, flat index), that no other writer may write as well."""
        return set()

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        """Write `values` (n,) to the simulations `ids` (n,), where it is the only one."""
        self.writer(self.model, (self,)).write(sim, ids, values[:, None])


def element_id(model: mujoco.MjModel, name: ParameterName) -> int:
    """Return the id of the element that `name` names; raises ParameterError with the near ones."""
    try:
        return getattr(model, name.kind)(name.object).id
    except KeyError:
        raise ParameterError(
            f"'{name}': the model has no {name.kind} {name.object!r}"
            f"{known(name.object, element_names(model, name.kind))}"
        ) from None


def element_names(model: mujoco.MjModel, kind: str) -> list[str]:
    """Return the names of the elements of one kind, without those that have none."""
    count = {
        **{"body": model.nbody, "joint": model.njnt, "geom": model.ngeom, "site": model.nsite},
        **{"actuator": model.nu, "camera": model.ncam, "light": model.nlight},
        **{"material": model.nmat},
    }[kind]
    return [name for i in range(count) if (name := getattr(model, kind)(i).name)]


def scaled(low: float, high: float) -> Range:
    """Return nominal × [low, high], uniform."""
    return Range("scale", Uniform(low, high))


def scaled_log(low: float, high: float) -> Range:
    """Return nominal × [low, high], log-uniform."""
    return Range("scale", LogUniform(low, high))


def added(low: float, high: float) -> Range:
    """Return nominal + [low, high], uniform."""
    return Range("add", Uniform(low, high))


def added_normal(std: float) -> Range:
    """Return nominal + a normal number of standard deviation `std`."""
    return Range("add", Normal(0.0, std))


def between(low: float, high: float) -> Range:
    """Return [low, high], uniform."""
    return Range("set", Uniform(low, high))
