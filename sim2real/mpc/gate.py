"""Which of two models to believe: the one that has lately predicted better."""

import torch
from torch import Tensor

_MEMORY = 0.9  # of the running errors, per control step: about the last ten
_LARGEST = 100.0  # of a squared standardized error: one glitch must not decide for long
_BETTER = 0.99  # of the other's error: where nothing was adapted to, rounding must not decide


def updated_errors(errors: Tensor, wrong: Tensor) -> Tensor:
    """Return the running errors (1, nmodel) with those of the last predictions.

    `wrong` (nmodel, nchange) is standardized; what is not finite counts as very wrong. Predictions
    were made before the robot moved, so that a model cannot do well by having adapted to the very
    transition that judges it.
    """
    squared = torch.nan_to_num(wrong.square(), nan=_LARGEST, posinf=_LARGEST)
    latest = squared.clamp_max(_LARGEST).mean(dim=1)[None]
    return _MEMORY * errors + (1.0 - _MEMORY) * latest


def trusted(errors: Tensor) -> Tensor:
    """Return whether the second model, the adapted one, is to be believed: (1, 1), 0 or 1."""
    return (errors[:, 1:] < _BETTER * errors[:, :1]).to(errors.dtype)
