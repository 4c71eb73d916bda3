"""Episodes that ended: in which worlds, and with which returns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """`k` episodes that ended in the same control step; `replay` repeats each from its key."""

    seed: int
    """With `environment` and `episode` the key of the world."""
    environment: NDArray[Any]
    """(k,)."""
    episode: NDArray[np.int64]
    """(k,)."""
    progress: NDArray[np.float64]
    """Share of the training that was over when the episode began (k,); what curricula follow."""
    values: NDArray[np.float64]
    """The world's parameters (k, p), in SI units; of one that varies within an episode its last."""
    returns: NDArray[np.float64]
    """Sum of rewards (k,)."""
    steps: NDArray[np.int64]
    """Control steps (k,)."""
    success: NDArray[np.bool_]
    """Whether the task was done at the end (k,)."""
    diverged: NDArray[np.bool_]
    """Whether the simulation diverged (k,): then the return says nothing."""
