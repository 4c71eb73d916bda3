"""A set of dynamics parameters of one robot, read from its model and written to simulations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.randomization.terms import make_term
from sim2real.randomization.terms.term import Term
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BISECTIONS = 50


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
        self._needs_set_const = [term.needs_set_const for term in self.terms]
        self.conditions = _conditions(model, tuple(joints), self.names, self.terms)

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
        chosen = range(len(self.terms)) if columns is None else columns
        for column in chosen:
            self.terms[column].write(sim, ids, values[:, column])
        if any(self._needs_set_const[column] for column in chosen):
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
            values[rows] = _boundary(values[rows], inside[rows], condition)
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


@dataclass(frozen=True)
class Condition:
    """What some of the parameters must fulfil together."""

    columns: list[int]
    """Where they stand; those that are not in the set have their nominal values."""
    possible: Callable[[Array], Mask]
    """Values of the whole set (n, p) → which rows are possible (n,)."""
    summary: str


def _conditions(
    model: mujoco.MjModel, joints: tuple[str, ...], names: tuple[str, ...], terms: tuple[Term, ...]
) -> tuple[Condition, ...]:
    found = {term.together: term for term in terms if term.together}
    return tuple(
        _condition(term, model, joints, names, together) for together, term in found.items()
    )


def _condition(
    term: Term,
    model: mujoco.MjModel,
    joints: tuple[str, ...],
    names: tuple[str, ...],
    together: tuple[str, ...],
) -> Condition:
    nominal = np.array([make_term(model, name, joints).nominal for name in together])
    given = [i for i, name in enumerate(together) if name in names]
    columns = [names.index(together[i]) for i in given]

    def possible(values: Array) -> Mask:
        full = np.tile(nominal, (len(values), 1))
        full[:, given] = values[:, columns]
        return term.possible(full)

    return Condition(columns, possible, term.possible.__doc__ or term.summary)


def _boundary(values: Array, inside: Array, condition: Condition) -> Array:
    """Return the last possible point (n, p) on the way from `inside` to `values`."""
    low, high = np.zeros(len(values)), np.ones(len(values))
    apart = np.zeros_like(values)
    apart[:, condition.columns] = (values - inside)[:, condition.columns]
    start = values - apart
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        possible = condition.possible(start + middle[:, None] * apart)
        low, high = np.where(possible, middle, low), np.where(possible, high, middle)
    return start + low[:, None] * apart
