"""Per-simulation numbers beside MjModel's fields, used as `mujoco.batch.Batch` is."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError, known

Array = NDArray[np.float64]


class Table:
    """Named arrays (nsim, size), nominal until something is written.

    What was never expanded is nominal in every simulation: nobody has to look at it.
    """

    def __init__(self, nsim: int, size: int, nominal: Mapping[str, float]):
        self._shape, self._nominal = (nsim, size), nominal
        self._expanded: dict[str, Array] = {}

    def expand(self, name: str) -> Array:
        """Return a live array (nsim, size) to write to; raises ParameterError."""
        if name not in self._nominal:
            raise ParameterError(f"there is no {name!r}{known(name, self._nominal)}")
        if name not in self._expanded:
            self._expanded[name] = np.full(self._shape, self._nominal[name])
        return self._expanded[name]

    def get(self, name: str) -> Array | None:
        """Return the array (nsim, size), or None if it is nominal everywhere."""
        return self._expanded.get(name)

    def value(self, name: str) -> Array:
        """Return the array (nsim, size), read-only if it is nominal everywhere."""
        expanded = self._expanded.get(name)
        return np.broadcast_to(self._nominal[name], self._shape) if expanded is None else expanded

    def uses(self, *names: str) -> bool:
        """Return whether any of `names`, or anything at all without names, was expanded."""
        return not self._expanded.keys().isdisjoint(names) if names else bool(self._expanded)
