"""Which library arrays are of: numpy's in the simulator, torch's in an exported policy."""

from types import ModuleType
from typing import Any

import numpy as np
from array_api_compat import array_namespace


def namespace(*arrays: Any) -> ModuleType:
    """Return the array API of `arrays`: `xp.cos(x)` is whichever library's x is.

    numpy's arrays get numpy itself: a control step of many small robots asks a dozen times, and the
    compatible functions take twice as long as its own.
    """
    if all(type(array) is np.ndarray for array in arrays):
        return np
    return array_namespace(*arrays)


def dot(x: Any, y: Any) -> Any:
    """Return the sums of products (n,) of two arrays (n, size).

    Of torch's by hand: its `vecdot` in the array API cannot be mapped by `torch.vmap`, by which a
    planner drives many robots at once.
    """
    return np.vecdot(x, y) if type(x) is np.ndarray else (x * y).sum(-1)
