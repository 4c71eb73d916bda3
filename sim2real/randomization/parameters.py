"""A set of dynamics parameters of one robot, read from its model and written to simulations."""

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.randomization.terms import make_term
from sim2real.randomization.terms.term import SharedTerm, Term, Writer
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]


class ParameterSet:
    """`p` parameters in a fixed order: what randomization draws and calibration fits."""

    def __init__(self, model: mujoco.MjModel, joints: Sequence[str], names: Sequence[str]):
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if list(names).count(name) > 1})
            raise ParameterError(f"parameters named twice: {', '.join(twice)}")
        self.names = tuple(names)
        self.terms = tuple(make_term(model, name, tuple(joints)) for name in names)
        self.nominal: Array = np.array([term.nominal for term in self.terms])
        self.bounds: Array = np.array([term.bounds for term in self.terms]).reshape(-1, 2)
        _refuse_shared_numbers(self.terms)
        self._alone, self._together = _writers(model, self.terms)
        self._needs_set_const = any(term.needs_set_const for term in self.terms)

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        """Write `values` (n, p) to the simulations `ids` (n,), and what follows from them.

        Raises:
            ParameterError: a value is not finite or not physically possible.
        """
        self._refuse_impossible(values)
        for column, term in self._alone:
            term.write(sim, ids, values[:, column])
        for columns, writer in self._together:
            writer.write(sim, ids, values[:, columns])
        if self._needs_set_const:
            sim.fields.set_const(ids)

    def _refuse_impossible(self, values: Array) -> None:
        low, high = self.bounds.T
        possible = (values >= low) & (values <= high)  # False for NaN
        if not possible.all():
            row, column = np.argwhere(~possible)[0]
            raise ParameterError(
                f"{self.names[column]} = {values[row, column]:g} is impossible:"
                f" it must lie in [{low[column]:g}, {high[column]:g}]"
            )


def _refuse_shared_numbers(terms: Sequence[Term]) -> None:
    owner: dict[tuple[str, int], SharedTerm] = {}
    for term in terms:
        if isinstance(term, SharedTerm):
            for number in term.touches():
                other = owner.setdefault(number, term)
                if other.writer is not term.writer:  # one writer lets its terms act together
                    raise ParameterError(
                        f"'{other.name}' and '{term.name}' set the same {number[0]}:"
                        " leave one of them out"
                    )


def _writers(
    model: mujoco.MjModel, terms: Sequence[Term]
) -> tuple[list[tuple[int, Term]], list[tuple[NDArray[np.intp], Writer]]]:
    """Return the terms that are written alone with their columns, and the writers of the others."""
    alone: list[tuple[int, Term]] = []
    groups: dict[type[Writer], list[tuple[int, SharedTerm]]] = {}
    for column, term in enumerate(terms):
        if isinstance(term, SharedTerm):
            groups.setdefault(term.writer, []).append((column, term))
        else:
            alone.append((column, term))
    together = [
        (np.array([column for column, _ in group]), writer(model, [term for _, term in group]))
        for writer, group in groups.items()
    ]
    return alone, together
