"""What every adaptive randomization looks like: returns in, the next distribution out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range

Array = NDArray[np.float64]
Success = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source distribution: what worlds are drawn from."""

    ranges: Mapping[str, Range] = field(default_factory=dict[str, Range])
    """Parameter → where it is drawn, each for itself."""
    posterior: Posterior | None = None
    """Parameters that are drawn together."""
    boundary: float = 0.0
    """Share of the worlds in which one parameter stands at an end of its range."""


class Adaptive(ABC):
    """A source distribution of `p` parameters that moves with what is observed.

    Parameters are absolute, in SI units, in the order of `names`.
    """

    names: tuple[str, ...]

    @property
    @abstractmethod
    def source(self) -> Source:
        """What to draw worlds from now."""

    @abstractmethod
    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Take in episodes in worlds drawn from `source`, and return what to draw from next.

        Args:
            values: the worlds (n, p).
            returns: how well it went in each (n,); each algorithm says which measure it takes.
            success: whether the task was done in each (n,).
        """

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Return what to log beside the distribution: name → number."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""

    @abstractmethod
    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
