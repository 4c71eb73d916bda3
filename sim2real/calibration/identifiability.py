"""What logs cannot tell: said for each parameter, with the reason, or refused outright."""

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration import uncertainty
from sim2real.calibration.windows import Windows
from sim2real.errors import CalibrationError

Array = NDArray[np.float64]

IDENTIFIED = "identified"

_RATIO = 0.5
"""A parameter is identified if the logs at least halve its prior's standard deviation."""
_PART = 0.3
"""Smallest share of a direction (of length 1) that is worth naming."""


def require_motion(windows: Windows, seconds: float) -> None:
    """Raise CalibrationError if no windows are left, saying where they went."""
    if len(windows):
        return
    lost = ", ".join(f"{count} {reason}" for reason, count in windows.dropped.items())
    raise CalibrationError(
        f"the logs hold no window of {seconds:g} s to fit"
        f" ({lost or 'they are shorter than a window'}): record more motion with"
        " `sim2real record`, or change [windows], avoid and logs.exclude in the recipe"
    )


def require_comparison(windows: Windows) -> None:
    """Raise CalibrationError if windows are too few to tell how much fits to them would differ."""
    blocks = len(uncertainty.blocks(windows))
    if blocks < 2:
        raise CalibrationError(
            f"the logs hold {len(windows)} windows within {uncertainty.BLOCK:g} s: how sure a fit"
            " is follows from windows that differ: record at least 10 s of motion, or several logs"
        )


def verdicts(names: tuple[str, ...], information: Array, covariance: Array) -> tuple[str, ...]:
    """Return `identified` or `not identified: because ...` for each of `p` parameters.

    Args:
        names: the parameters.
        information: JᵀJ of all windows in units of the prior's information (p, p).
        covariance: of the optimum in z (p, p); the prior's is the identity.
    """
    ratio = np.sqrt(np.diag(covariance))
    return tuple(
        IDENTIFIED if ratio[i] <= _RATIO else f"not identified: {_reason(i, names, information)}"
        for i in range(len(names))
    )


def _reason(i: int, names: tuple[str, ...], information: Array) -> str:
    alone = float(information[i, i])
    if alone < 1e-6:
        return "it changes nothing in the motion of these logs"
    if 1.0 / np.sqrt(1.0 + alone) > _RATIO:
        return "the motion hardly depends on it: a larger or faster one may tell (sim2real excite)"
    values, vectors = np.linalg.eigh(information)
    weak = [j for j in range(len(names)) if 1.0 / np.sqrt(1.0 + values[j]) > _RATIO]
    for j in weak:
        direction = vectors[:, j] * np.sign(vectors[i, j])
        others = [k for k in np.argsort(-np.abs(direction)) if k != i and abs(direction[k]) > _PART]
        if abs(direction[i]) > _PART and others:
            moves = " and ".join(
                f"{names[k]} {'up' if direction[k] > 0 else 'down'}" for k in others
            )
            return f"it can go up with {moves} without a trace: fix one of them, or measure it"
    return "the windows contradict each other about it: look for pushes, or add logs"
