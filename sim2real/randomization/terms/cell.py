"""Terms that are numbers of the model as they stand: the value is written where it was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.randomization.terms.term import Array, SharedTerm, Writer, element_id
from sim2real.sim.simulator import Ids, Simulator


@dataclass(frozen=True)
class Cell:
    """One number of a field, which holds `factor` times the parameter's value."""

    field: str
    """An MjModel field, or `opt.` and an MjOption field."""
    index: tuple[int, ...] = ()
    factor: float = 1.0

    def read(self, model: mujoco.MjModel) -> float:
        """Return the parameter's value in `model`."""
        return float(_field(model, self.field)[self.index]) / self.factor

    def flat(self, model: mujoco.MjModel) -> int:
        """Return its place in the field's numbers as one row."""
        shape = _field(model, self.field).shape
        return int(np.ravel_multi_index(self.index, shape)) if shape else 0


@final
class CellWriter(Writer):
    """Writes each field once, however many elements' terms are in it."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        places: dict[str, list[tuple[int, int, float]]] = {}
        for column, term in enumerate(terms):
            assert isinstance(term, CellTerm)
            for cell in term.cells:
                row = (column, cell.flat(model), cell.factor)
                places.setdefault(cell.field, []).append(row)
        self._places = [_place(field, rows) for field, rows in places.items()]

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        rows = ids[:, None]
        for field, columns, flat, factor in self._places:
            part = values[:, columns]
            whole = sim.fields.expand(field).reshape(sim.nsim, -1)
            whole[rows, flat] = part if factor is None else part * factor


class CellTerm(SharedTerm):
    """A term that is written to cells of the model."""

    writer = CellWriter
    cells: tuple[Cell, ...]
    """The first is where the nominal value is read."""

    def put(self, *cells: Cell) -> None:
        """Set the cells, and the nominal value from the first."""
        self.cells = cells
        self.nominal = cells[0].read(self.model)

    def touches(self) -> set[tuple[str, int]]:  # noqa: D102
        return {(cell.field, cell.flat(self.model)) for cell in self.cells}


class ElementTerm(CellTerm):
    """A number, or the numbers, that an element has in one field."""

    field: ClassVar[str]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        row = element_id(model, self.name)
        at = (row, self.index) if getattr(model, self.field).ndim > 1 else (row,)
        self.put(Cell(self.field, at))


def _field(model: mujoco.MjModel, name: str) -> np.ndarray:
    return np.asarray(getattr(model.opt, name[4:]) if name[:4] == "opt." else getattr(model, name))


def _place(
    field: str, rows: list[tuple[int, int, float]]
) -> tuple[str, NDArray[np.intp], NDArray[np.intp], Array | None]:
    columns, flat, factor = zip(*rows, strict=True)
    alike = all(each == 1.0 for each in factor)
    return field, np.array(columns), np.array(flat), None if alike else np.array(factor)
