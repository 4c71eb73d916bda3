"""Gradient steps on the weights of any module, a copy for each task, by `torch.func`."""

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from sim2real.meta.weights import Loss, Weights, layers_of


@final
class StackedWeights(Weights):
    """The parameters of any module for several tasks, one behind another."""

    def __init__(self, model: nn.Module, parameters: dict[str, Tensor]):
        """Take a module and its parameters by name, (ntask, ...) each."""
        self._model, self._parameters = model, parameters
        names = [name for name, _ in layers_of(model)]
        self._layer = {name: names.index(name.rpartition(".")[0]) for name in parameters}

    @classmethod
    def shared(cls, model: nn.Module, ntask: int) -> "StackedWeights":
        """Return the module's own parameters, the same for each task."""
        parameters = {
            name: value.expand(ntask, *value.shape) for name, value in model.named_parameters()
        }
        return cls(model, parameters)

    def __call__(self, inputs: Tensor) -> Tensor:  # noqa: D102
        return vmap(self._predict)(self._parameters, inputs)

    def gradient(  # noqa: D102
        self, inputs: Tensor, targets: Tensor, loss: Loss, *, differentiable: bool
    ) -> dict[str, Tensor]:
        def of_one(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return loss(self._predict(parameters, x)[None], y[None])[0]

        with torch.set_grad_enabled(differentiable):
            gradient: Any = vmap(grad(of_one))(self._parameters, inputs, targets)
        return gradient

    def minus(self, gradient: dict[str, Tensor], rates: Tensor) -> "StackedWeights":  # noqa: D102
        parameters = {}
        for name, value in self._parameters.items():
            rate = rates[:, self._layer[name]].reshape(-1, *[1] * (value.ndim - 1))
            # a rate of 0 leaves the weight as it is, whatever the gradient is
            parameters[name] = value - torch.where(rate > 0.0, rate * gradient[name], 0.0)
        return StackedWeights(self._model, parameters)

    def _predict(self, parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return functional_call(self._model, parameters, (inputs,))
