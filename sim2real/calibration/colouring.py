"""Which parameters can be perturbed together: those that move nothing in common.

A Jacobian whose columns have no row in common is found from one difference for all of them
(Curtis, Powell & Reid 1974). On an arm with stiff gears a servo's gain moves its own joint alone.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SHARE = 0.1
"""A joint of a log counts as unmoved by a parameter whose part in its motion is below this share of
the part in the joint that it moves most."""


def moved_by(jacobian: Array, log: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return what each parameter moves: (p, nlog, njoint).

    Args:
        jacobian: derivative of the positions (n, nsample, njoint, p).
        log: the log of each window (n,).
    """
    logs = range(int(log.max()) + 1)
    power = np.stack([(jacobian[log == number] ** 2).sum(axis=(0, 1)) for number in logs])
    size = np.sqrt(np.moveaxis(power, -1, 0))
    # of each joint, against the parameter that moves it most: joints differ in how far they move
    size = size / np.maximum(size.max(axis=0, keepdims=True), 1e-300)
    return size > _SHARE * np.maximum(size.max(axis=(1, 2), keepdims=True), 1e-300)


def colours(moved: NDArray[np.bool_]) -> list[list[int]]:
    """Return groups of parameters that move nothing in common, the widest parameters first."""
    flat = moved.reshape(len(moved), -1)
    groups: list[list[int]] = []
    for i in np.argsort(-flat.sum(axis=1), kind="stable").tolist():
        free = [members for members in groups if not (flat[members].any(axis=0) & flat[i]).any()]
        if free:
            free[0].append(i)
        else:
            groups.append([i])
    return [sorted(members) for members in groups]
