"""The squared error of predictions where only some targets are known."""

from typing import final

import torch
from torch import Tensor


@final
class MaskedError:
    """The mean squared error of each task on known samples, and its derivative.

    The last column of targets (ntask, n, size + 1) is 1 where they are known, and 0 elsewhere.
    """

    def __call__(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss (ntask,) of predictions (ntask, n, size); 0 where nothing is known."""
        wrong = (predictions - targets[..., :-1]).square().mean(dim=-1)
        return (wrong * self._weights(targets)).sum(dim=1)

    def slope(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the derivative by the predictions, (ntask, n, size)."""
        wrong = predictions - targets[..., :-1]
        return 2.0 / wrong.shape[-1] * wrong * self._weights(targets)[..., None]

    @staticmethod
    def join(targets: Tensor, known: Tensor) -> Tensor:
        """Return targets (ntask, n, size) with what is known of them (ntask, n)."""
        return torch.cat([targets, known[..., None]], dim=-1)

    def _weights(self, targets: Tensor) -> Tensor:
        known = targets[..., -1]
        return known / known.sum(dim=1, keepdim=True).clamp_min(1.0)
