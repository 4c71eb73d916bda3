"""The weights of several tasks' models, and how a gradient step changes them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self, runtime_checkable

from torch import Tensor, nn

from sim2real.errors import ConfigError

Loss = Callable[[Tensor, Tensor], Tensor]
"""Predictions and targets (ntask, n, size) → the loss of each task (ntask,)."""


@runtime_checkable
class SmoothLoss(Protocol):
    """A `Loss` that knows its derivative, so that a step needs no autograd and can be exported."""

    def __call__(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each task (ntask,)."""
        ...

    def slope(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return the derivative of each task's loss by its predictions (ntask, n, size)."""
        ...


class Weights(ABC):
    """Models of `ntask` tasks that share an architecture; called, they predict.

    Values do not change: a step returns other weights.
    """

    @abstractmethod
    def __call__(self, inputs: Tensor) -> Tensor:
        """Return predictions (ntask, n, nout) for inputs (ntask, n, nin)."""

    @abstractmethod
    def gradient(self, inputs: Tensor, targets: Tensor, loss: Loss, *, differentiable: bool) -> Any:
        """Return the gradient of each task's own loss by its own weights.

        With `differentiable` it can be differentiated again, as exact MAML does; else it is a
        constant (first-order MAML).
        """

    @abstractmethod
    def minus(self, gradient: Any, rates: Tensor) -> Self:
        """Return the weights after a step against `gradient` at `rates` (ntask, nlayer)."""


def layers_of(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return name and module of all layers that have parameters of their own, in order.

    Each has an inner learning rate of its own. Raises ConfigError if there are none.
    """
    found = [
        (name, module)
        for name, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    if not found:
        raise ConfigError("the model has no parameters: there is nothing to adapt")
    return found
