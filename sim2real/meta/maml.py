"""Model-agnostic meta-learning (Finn et al. 2017): weights from which a few steps go a long way."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from sim2real.errors import ConfigError, MetaError
from sim2real.meta.low_rank import LowRankWeights, is_mlp
from sim2real.meta.stacked import StackedWeights
from sim2real.meta.weights import Loss, Weights, layers_of


@dataclass(frozen=True, kw_only=True)
class InnerSettings:
    """How a model adapts to a task."""

    steps: int = 1
    """Gradient steps in training; `adapt` may take more."""
    rate: float = 0.01
    """Of the steps; where it is learned, what it starts as."""
    learn_rates: bool = False
    """Whether each layer's own rate is learned with the weights (Li et al. 2017, Meta-SGD)."""
    first_order: bool = False
    """Whether training ignores how a step depends on the weights it starts from: cheaper, worse."""
    safeguard: bool = True
    """Whether `adapt` halves a step until it lowers the support loss, or leaves it out. Without, a
    rate that suits most tasks diverges on some."""
    halvings: int = 11
    """How often at most; each is one more prediction of the support."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"maml: steps = {self.steps} must be at least 1")
        if self.halvings < 0:
            raise ConfigError(f"maml: halvings = {self.halvings} must not be negative")
        if not (self.rate > 0.0 and math.isfinite(self.rate)):
            raise ConfigError(f"maml: rate = {self.rate} must be a number above 0")


@final
class MAML(nn.Module):
    """A model, and what it learns across tasks: its weights, and how far to step from them.

    Exact to second order. An MLP (`torch.nn.Sequential` of linear layers and activations) takes its
    steps in factors of low rank, which costs a third; any other module by `torch.func`.

        maml = MAML(model, loss, InnerSettings(steps=1, rate=0.01))
        optimizer = torch.optim.Adam(maml.parameters())
        maml.query_loss(support, query).mean().backward()   # of a batch of tasks
        adapted = maml.adapt(x, y, steps=5)                  # predictions: adapted(inputs)
    """

    def __init__(self, model: nn.Module, loss: Loss, inner: InnerSettings | None = None):
        """Take a model (n, nin) → (n, nout), and the loss of each task.

        Raises:
            ConfigError: the model has no parameters.
        """
        super().__init__()
        self.model, self.loss, self.inner = model, loss, inner or InnerSettings()
        rates = torch.full((len(layers_of(model)),), math.log(self.inner.rate))
        self.log_rates = nn.Parameter(rates, requires_grad=self.inner.learn_rates)

    def query_loss(self, support: tuple[Tensor, Tensor], query: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss (ntask,) on the query after adapting to the support; differentiable.

        Both are inputs (ntask, n, nin) and targets (ntask, n, nout).
        """
        _check(*support)
        _check(*query)
        weights, rates = self.shared(len(support[0])), self._rates(len(support[0]))
        for _ in range(self.inner.steps):
            gradient = weights.gradient(
                *support, self.loss, differentiable=not self.inner.first_order
            )
            weights = weights.minus(gradient, rates)
        return self.loss(weights(query[0]), query[1])

    @torch.no_grad()
    def adapt(self, inputs: Tensor, targets: Tensor, *, steps: int | None = None) -> Weights:
        """Return the models adapted to tasks of which (ntask, n, nin), (ntask, n, nout) is known.

        Raises:
            MetaError: the data are not finite, or their shapes do not fit.
        """
        _check(inputs, targets)
        if not (bool(torch.isfinite(inputs).all()) and bool(torch.isfinite(targets).all())):
            raise MetaError("the data to adapt to are not finite: leave such samples out")
        return self.stepped(inputs, targets, steps=steps)

    def stepped(self, inputs: Tensor, targets: Tensor, *, steps: int | None = None) -> Weights:
        """Return what `adapt` does, of any data, without control flow that depends on them.

        So it can be traced. A task whose loss or gradient is not finite keeps the shared weights.
        """
        weights, rates = self.shared(len(inputs)), self._rates(len(inputs))
        for _ in range(self.inner.steps if steps is None else steps):
            gradient = weights.gradient(inputs, targets, self.loss, differentiable=False)
            if self.inner.safeguard:
                rates_here = self._safe_rates(weights, gradient, rates, (inputs, targets))
            else:
                rates_here = rates
            weights = weights.minus(gradient, rates_here)
        return weights

    def _safe_rates(
        self, weights: Weights, gradient: object, rates: Tensor, support: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return the rates, or a half, a quarter ... of them: what first lowers each task's loss.

        0 for tasks where nothing does.
        """
        before = self.loss(weights(support[0]), support[1])
        chosen = torch.zeros_like(rates)
        for halved in reversed(range(self.inner.halvings + 1)):
            tried = 0.5**halved * rates
            stepped = weights.minus(gradient, tried)
            better = self.loss(stepped(support[0]), support[1]) < before  # False for NaN
            chosen = torch.where(better[:, None], tried, chosen)
        return chosen

    def shared(self, ntask: int) -> Weights:
        """Return the weights that have adapted to nothing."""
        if is_mlp(self.model):
            assert isinstance(self.model, nn.Sequential)
            return LowRankWeights(self.model)
        return StackedWeights.shared(self.model, ntask)

    def _rates(self, ntask: int) -> Tensor:
        return self.log_rates.exp().expand(ntask, -1)


def mean_squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of each task (ntask,)."""
    return (predictions - targets).square().flatten(1).mean(dim=1)


def _check(inputs: Tensor, targets: Tensor) -> None:
    if inputs.ndim != 3 or targets.ndim != 3 or inputs.shape[:2] != targets.shape[:2]:
        raise MetaError(
            f"inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)} must be"
            " (ntask, n, nin) and (ntask, n, nout)"
        )
    if inputs.shape[1] == 0:
        raise MetaError("there are no samples to adapt to, or to predict: give at least one")
