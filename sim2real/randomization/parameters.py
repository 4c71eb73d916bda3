"""A set of dynamics parameters of one robot, read from its model and written to simulations."""

from collections.abc import Sequence
from typing import NoReturn, final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.randomization.conditions import boundary, conditions_of
from sim2real.randomization.terms import make_term
from sim2real.randomization.terms.term import SharedTerm, Term, Writer
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@final
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
        self.conditions = conditions_of(model, tuple(joints), self.names, self.terms)
        _refuse_shared_numbers(self.terms)
        self._alone, self._together = _writers(model, self.terms)
        self._all = frozenset(range(len(self.terms)))
        self._for_set_const = frozenset(i for i in self._all if self.terms[i].needs_set_const)

    def write(
        self, sim: Simulator, ids: Ids, values: Array, columns: Sequence[int] | None = None
    ) -> None:
        """Write `values` (n, p) to the simulations `ids` (n,), and what follows from them.

        Only the parameters in `columns` are written, by default all.

        Raises:
            ParameterError: a value is not finite or not physically possible.
        """
        if self.impossible(values).any():
            self.refuse(values)
        chosen = self._all if columns is None else frozenset(columns)
        for column, term in self._alone:
            if column in chosen:
                term.write(sim, ids, values[:, column])
        for owned, writer in self._together:  # what acts on each other is written together
            if not chosen.isdisjoint(owned):
                writer.write(sim, ids, values[:, owned])
        if not chosen.isdisjoint(self._for_set_const):
            sim.fields.set_const(ids)

    def impossible(self, values: Array) -> Mask:
        """Return which of the `values` (n, p) are not possible, alone or together: (n, p)."""
        low, high = self.bounds.T
        wrong = ~((values >= low) & (values <= high))  # True for NaN
        for condition in self.conditions:
            wrong[:, condition.columns] |= ~condition.possible(values)[:, None]
        return wrong

    def clip(self, values: Array, inside: Array) -> Array:
        """Return the possible values (n, p) nearest to `values`.

        What is only impossible together is moved along a line towards `inside` (n, p), which is
        possible: to the boundary, if the possible values are convex.
        """
        low, high = self.bounds.T
        values = np.clip(values, low, high)
        for condition in self.conditions:
            rows = np.flatnonzero(~condition.possible(values))
            values[rows] = boundary(values[rows], inside[rows], condition)
        return values

    def refuse(self, values: Array) -> NoReturn:
        """Raise the ParameterError that says what is impossible about `values` (n, p)."""
        low, high = self.bounds.T
        alone = ~((values >= low) & (values <= high))
        if alone.any():
            row, column = np.argwhere(alone)[0]
            raise ParameterError(
                f"{self.names[column]} = {values[row, column]:g} is impossible:"
                f" it must lie in [{low[column]:g}, {high[column]:g}]"
            )
        row, column = np.argwhere(self.impossible(values))[0]
        condition = next(item for item in self.conditions if column in item.columns)
        given = ", ".join(f"{self.names[i]} = {values[row, i]:g}" for i in condition.columns)
        raise ParameterError(f"{given}: impossible together: {condition.summary}")


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
