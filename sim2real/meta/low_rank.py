"""Gradient steps on the weights of many tasks' MLPs, without ever forming those weights.

The gradient of a task's loss on K samples by a layer's weight is a sum of K outer products, so
after any number of steps the weight is the shared one less a matrix of low rank, which is kept as
its factors. All tasks then pass through the shared weights in one product, and what autograd has
to remember is small. The result is exact, derivatives of any order included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from sim2real.meta.weights import Loss, SmoothLoss, Weights


@dataclass(frozen=True)
class Factors:
    """Of a change (ntask, nout, nin) of one layer's weight: left.T @ right, task by task."""

    left: Tensor
    """(ntask, rank, nout); its sum over the rank is the change of the bias."""
    right: Tensor
    """(ntask, rank, nin)."""


@final
class LowRankWeights(Weights):
    """The weights of an MLP for several tasks: shared ones less a change of low rank."""

    def __init__(self, model: nn.Sequential, changes: tuple[Factors, ...] = ()):
        """Take an MLP (`is_mlp`) and, for each of its linear layers, how tasks differ from it."""
        self._model, self._changes = model, changes
        self._linear = [module for module in model if isinstance(module, nn.Linear)]

    def __call__(self, inputs: Tensor) -> Tensor:  # noqa: D102
        return self._run(inputs)[-1]

    def gradient(  # noqa: D102
        self, inputs: Tensor, targets: Tensor, loss: Loss, *, differentiable: bool
    ) -> tuple[Factors, ...]:
        with torch.set_grad_enabled(differentiable):
            *values, output = self._run(inputs)
            if isinstance(loss, SmoothLoss):
                error = loss.slope(output, targets)
            else:
                error = _slope(lambda output: loss(output, targets), output, differentiable)
            return self._backward(values, error, differentiable)

    def minus(self, gradient: tuple[Factors, ...], rates: Tensor) -> "LowRankWeights":  # noqa: D102
        scaled = [_scaled(g, rates[:, i, None, None]) for i, g in enumerate(gradient)]
        if self._changes:
            scaled = [
                Factors(
                    torch.cat([old.left, new.left], dim=1),
                    torch.cat([old.right, new.right], dim=1),
                )
                for old, new in zip(self._changes, scaled, strict=True)
            ]
        return LowRankWeights(self._model, tuple(scaled))

    def _run(self, inputs: Tensor) -> list[Tensor]:
        """Return what goes into each module, and the output."""
        values, layer = [inputs], 0
        for module in self._model:
            if isinstance(module, nn.Linear):
                values.append(self._linear_of(layer, values[-1]))
                layer += 1
            else:
                values.append(module(values[-1]))
        return values

    def _backward(
        self, values: list[Tensor], error: Tensor, differentiable: bool
    ) -> tuple[Factors, ...]:
        """Return the gradient from what went into each module and the derivative by the output."""
        gradient: list[Factors] = []
        layer = len(self._linear)
        for module, value in zip(reversed(self._model), reversed(values), strict=True):
            if isinstance(module, nn.Linear):
                layer -= 1
                gradient.append(Factors(error, value))
                if layer:  # nobody asks for the gradient by the inputs
                    error = self._transposed(layer, error)
            else:
                error = error * _slope(module, value, differentiable)
        return tuple(reversed(gradient))

    def _linear_of(self, layer: int, value: Tensor) -> Tensor:
        out = self._linear[layer](value)
        if not self._changes:
            return out
        change = self._changes[layer]
        # the bias is a weight whose input is always 1
        return out - (value @ change.right.mT + 1.0) @ change.left

    def _transposed(self, layer: int, error: Tensor) -> Tensor:
        """Return errors (ntask, n, nout) times the tasks' weights: (ntask, n, nin)."""
        out = error @ self._linear[layer].weight
        if not self._changes:
            return out
        change = self._changes[layer]
        return out - (error @ change.left.mT) @ change.right


def _scaled(gradient: Factors, rate: Tensor) -> Factors:
    """Return the gradient times the rate; nothing where that is 0, whatever the gradient is."""
    moves = rate > 0.0
    return Factors(
        torch.where(moves, rate * gradient.left, 0.0), torch.where(moves, gradient.right, 0.0)
    )


def is_mlp(model: nn.Module) -> bool:
    """Return whether a model is a plain chain of linear layers with biases and activations."""
    return (
        isinstance(model, nn.Sequential)
        and any(isinstance(module, nn.Linear) for module in model)
        and all(
            module.bias is not None if isinstance(module, nn.Linear) else _is_activation(module)
            for module in model
        )
    )


_ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.SiLU, nn.ELU, nn.GELU, nn.Softplus, nn.Sigmoid, nn.LeakyReLU)


def _is_activation(module: nn.Module) -> bool:
    """Return whether a module acts on each number alone, and has nothing to learn."""
    return isinstance(module, _ACTIVATIONS)


def _slope(function: Callable[[Tensor], Tensor], value: Tensor, differentiable: bool) -> Tensor:
    """Return the derivative of the sum of function(value) by value."""
    if isinstance(function, nn.ReLU):
        return (value > 0).to(value.dtype)
    if isinstance(function, nn.Tanh):
        return 1.0 - torch.tanh(value).square()
    if isinstance(function, nn.SiLU):
        gate = torch.sigmoid(value)
        return gate * (1.0 + value * (1.0 - gate))
    with torch.enable_grad():
        if not (differentiable and value.requires_grad):
            value = value.detach().requires_grad_()
        total = function(value).sum()
        return torch.autograd.grad(total, value, create_graph=differentiable)[0]
