"""What several parameters must fulfil together: a range of its own is not enough for each."""

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.randomization.terms import make_term
from sim2real.randomization.terms.term import Term

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BISECTIONS = 50


@dataclass(frozen=True)
class Condition:
    """What some of the parameters must fulfil together."""

    columns: list[int]
    """Where they stand; those that are not in the set have their nominal values."""
    possible: Callable[[Array], Mask]
    """Values of the whole set (n, p) → which rows are possible (n,)."""
    summary: str


def conditions_of(
    model: mujoco.MjModel, joints: tuple[str, ...], names: tuple[str, ...], terms: tuple[Term, ...]
) -> tuple[Condition, ...]:
    """Return what the parameters `names`, the terms `terms`, must fulfil together."""
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


def boundary(values: Array, inside: Array, condition: Condition) -> Array:
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
