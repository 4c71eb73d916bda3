"""What is done about worlds that are not physically possible."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.parameters import Mask, ParameterSet

Array = NDArray[np.float64]
Impossible = Literal["error", "redraw", "clip"]
Sample = Callable[[Any, int], tuple[Array, Array]]
"""Rows, and the number of the attempt → their worlds, drawn again."""

_TRIES = 1000
_LEAST_SHARE = 0.02  # of a range that must be possible: all tries fail once in 10⁹ worlds
_GRID = (np.arange(1000) + 0.5) / 1000


@final
class Mender:
    """Makes worlds possible: by drawing again or clipping, or not at all, as the user chose.

    Only what is drawn together with an impossible parameter is drawn again. So the rest of the
    world stays what its key says, and the distribution is that of all draws that are possible.
    """

    def __init__(
        self, parameters: ParameterSet, choice: Impossible, drawn_together: Sequence[list[int]]
    ):
        """Make a mender of `parameters`, some of which (columns) are `drawn_together`."""
        self._parameters, self._choice = parameters, choice
        blocks = [*drawn_together, *(item.columns for item in parameters.conditions)]
        self._together = _connected(len(parameters.names), blocks)
        self.count = 0
        """How many worlds were drawn again or clipped."""

    def is_idle(self, ranges: Mapping[str, Range], posterior: Posterior | None) -> bool:
        """Return whether no draw of `ranges` and `posterior` can be impossible."""
        low, high = self._parameters.bounds.T
        smallest, largest = _ends(self._parameters, ranges, posterior)
        within = bool(((smallest >= low) & (largest <= high)).all())
        return within and not self._parameters.conditions

    def mend(self, worlds: tuple[Array, Array], inside: Array, sample: Sample) -> None:
        """Make worlds possible, in place; raises ParameterError if that is not wanted.

        Args:
            worlds: values and normalized values, (n, p).
            inside: worlds that are possible, to clip towards, (n, p).
            sample: draws again.
        """
        values = worlds[0]
        wrong = self._parameters.impossible(values)
        if not wrong.any():
            return
        if self._choice == "error":
            self._refuse(values)
        self.count += int(wrong.any(axis=1).sum())
        if self._choice == "clip":
            values[...] = self._parameters.clip(values, inside)
        else:
            self._redraw(worlds, wrong, sample)

    def _refuse(self, values: Array) -> None:
        try:
            self._parameters.refuse(values)
        except ParameterError as error:
            raise ParameterError(
                f'{error} Narrow the ranges, or say impossible = "redraw" or "clip" in robot.toml'
            ) from None

    def _redraw(self, worlds: tuple[Array, Array], wrong: Mask, sample: Sample) -> None:
        for attempt in range(1, _TRIES + 1):
            rows = np.flatnonzero(wrong.any(axis=1))
            again = wrong[rows] @ self._together
            for array, new in zip(worlds, sample(rows, attempt), strict=True):
                array[rows] = np.where(again, new, array[rows])
            wrong[rows] = self._parameters.impossible(worlds[0][rows])
            if not wrong.any():
                return
        names = [self._parameters.names[i] for i in np.flatnonzero(wrong.any(axis=0))]
        raise ParameterError(
            f"{', '.join(names)}: {_TRIES} draws, none of them possible: narrow the ranges"
        )


def check_ranges(parameters: ParameterSet, ranges: Mapping[str, Range], choice: Impossible) -> None:
    """Raise ParameterError if a range can draw what is impossible, or hardly anything else."""
    for name, item in ranges.items():
        column = parameters.names.index(name)
        nominal = float(parameters.nominal[column])
        _refuse_without_effect(name, item, nominal)
        (low, high), (smallest, largest) = parameters.bounds[column], item.bounds(nominal)
        if smallest >= low and largest <= high:
            continue
        reason = (
            f"{name}: its range [{smallest:g}, {largest:g}] (nominal {nominal:g}) leaves"
            f" what is physically possible, [{low:g}, {high:g}]"
        )
        if choice == "error":
            raise ParameterError(
                f'{reason}: narrow it, or say impossible = "redraw" or "clip" in robot.toml'
            )
        values = item.values(nominal, _GRID)
        if ((values >= low) & (values <= high)).mean() < _LEAST_SHARE:
            raise ParameterError(f"{reason}, and hardly ever enters it: it cannot be drawn from")


def _refuse_without_effect(name: str, item: Range, nominal: float) -> None:
    scales = item.operation == "scale"
    if (scales and nominal == 0.0) or (item.operation != "set" and not np.isfinite(nominal)):
        raise ParameterError(
            f"{name}: its nominal value is {nominal:g}, so that {item.operation} changes nothing:"
            f" write {'set or add' if np.isfinite(nominal) else 'set'}"
        )


def _ends(
    parameters: ParameterSet, ranges: Mapping[str, Range], posterior: Posterior | None
) -> tuple[Array, Array]:
    """Return the smallest and largest value that each parameter can have, (p,)."""
    ends = {name: [nominal] for name, nominal in zip(parameters.names, parameters.nominal.tolist(),
                                                     strict=True)}  # fmt: skip
    for name, item in ranges.items():
        ends[name] = list(item.bounds(ends[name][0]))
    if posterior is not None:
        for name, low, high in zip(posterior.names, posterior.lower, posterior.upper, strict=True):
            ends[name] += [low, high]
    return np.array([min(e) for e in ends.values()]), np.array([max(e) for e in ends.values()])


def _connected(p: int, blocks: Sequence[list[int]]) -> Mask:
    """Return which of `p` columns are in one block, or in blocks that share columns, (p, p)."""
    together = np.eye(p, dtype=bool)
    for block in blocks:
        together[np.ix_(block, block)] = True
    while (further := together @ together).sum() > together.sum():
        together = further
    return together
