"""Reading the past: a delay of any length out of samples at whole steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def push(past: Array, newest: Array) -> None:
    """Put `newest` (n, m) in front of `past` (n, depth, m), newest first; the oldest is lost."""
    past[:, 1:] = past[:, :-1]
    past[:, 0] = newest


def read(past: Array, lag: Array) -> Array:
    """Return what was `lag` (n, m) samples ago, (n, m), linear between samples.

    `past` (n, depth, m) stands newest first; a lag beyond its end reads the oldest.
    """
    oldest = past.shape[1] - 1
    lag = np.minimum(lag, oldest)
    whole = lag.astype(np.int64)
    rows: Any = np.arange(past.shape[0])[:, None]
    columns = np.arange(past.shape[2])
    newer = past[rows, whole, columns]
    older = past[rows, np.minimum(whole + 1, oldest), columns]
    return newer + (lag - whole) * (older - newer)


def deepened(past: Array, depth: int) -> Array:
    """Return `past` (n, depth, m) with at least `depth` samples: its oldest was there before."""
    missing = depth - past.shape[1]
    if missing <= 0:
        return past
    return np.concatenate([past, np.repeat(past[:, -1:], missing, axis=1)], axis=1)
