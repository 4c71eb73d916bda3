"""Adaptation by a context: what a network reads from the past, and the dynamics are told."""

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling

_FORGOTTEN = 0.1


class Encoder(nn.Module, ABC):
    """Transitions (ntask, n, nin + nchange) → context (ntask, ncontext)."""

    @abstractmethod
    def forward(self, transitions: Tensor, known: Tensor) -> Tensor:
        """Return contexts from standardized transitions, of which `known` (ntask, n) are there."""


@final
class RecurrentEncoder(Encoder):
    """An LSTM that reads the transitions in order (ReBAL, Nagabandi et al. 2019).

    Step by step, because `torch.vmap`, by which a planner drives many robots at once, has no rule
    for `nn.LSTM`; its weights are that one's.
    """

    def __init__(self, size: int, ncontext: int):
        """Take the size of a transition."""
        super().__init__()
        self.lstm = nn.LSTM(size + 1, ncontext, batch_first=True)

    def forward(self, transitions: Tensor, known: Tensor) -> Tensor:  # noqa: D102
        known = known[..., None]
        seen = torch.cat([known * transitions, known], dim=-1)
        enters, stays, *biases = self.lstm.all_weights[0]
        asked = functional.linear(seen, enters, biases[0] + biases[1])
        hidden = cell = seen.new_zeros(len(seen), self.lstm.hidden_size)
        for row in asked.unbind(dim=1):
            gates = row + hidden @ stays.mT
            enter, forget, new, out = gates.chunk(4, dim=-1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
        return hidden


@final
class HistoryEncoder(Encoder):
    """A network of the transitions all at once (CaDM, Lee et al. 2020)."""

    def __init__(self, size: int, window: int, ncontext: int, width: int):
        """Take the size of a transition, their number, and the width of the hidden layers."""
        super().__init__()
        self.layers = perceptron((window * (size + 1), width, width, ncontext), "relu")

    def forward(self, transitions: Tensor, known: Tensor) -> Tensor:  # noqa: D102
        known = known[..., None]
        seen = torch.cat([known * transitions, known], dim=-1)
        return self.layers(seen.flatten(1))


@final
class ContextDynamics(Dynamics):
    """Dynamics that are told a context; without one (zeros) they are the average robot's.

    In training a tenth of the contexts is left out, so that there is a model to fall back to where
    the context makes the error on the window larger. `backward` weighs a second prediction, of the
    change that led to a state, that shapes the context alone (CaDM).
    """

    def __init__(
        self,
        scaling: Scaling,
        hidden: tuple[int, ...],
        activation: str,
        window: int,
        encoder: Encoder,
        ncontext: int,
        *,
        backward: float = 0.0,
    ):
        """Make an untrained model."""
        super().__init__(scaling, window)
        self.encoder, self.ncontext, self.backward_weight = encoder, ncontext, backward
        sizes = (scaling.nin + ncontext, *hidden, scaling.nchange)
        self.body = perceptron(sizes, activation)
        self.reverse = perceptron(sizes, activation) if backward else None

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        context = self._context(window)
        told, untold = (self.error(self._with(c), window) for c in (context, 0.0 * context))
        return self._with(torch.where((told < untold)[:, None], context, 0.0))

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return self._with(self.scaling.input_mean.new_zeros(ntask, self.ncontext))

    def loss(self, window: Window, query: Window) -> Tensor:  # noqa: D102
        context = self._context(window)
        kept = (torch.rand(len(context), 1) > _FORGOTTEN).to(context.dtype)
        loss = self.error(self._with(kept * context), query)
        if self.reverse is None:
            return loss
        return loss + self.backward_weight * self._backward_error(context, query)

    def _context(self, window: Window) -> Tensor:
        inputs = self.scaling.inputs(window.states, window.commands)
        changes = self.scaling.changes(window.states, window.next_states)
        surprise = changes - self.unadapted(len(inputs)).network(inputs)
        return self.encoder(torch.cat([inputs, surprise], dim=-1), window.known)

    def _with(self, context: Tensor) -> Adapted:
        def network(inputs: Tensor) -> Tensor:
            return self.body(_told(inputs, context))

        return Adapted(self.scaling, network)

    def _backward_error(self, context: Tensor, query: Window) -> Tensor:
        assert self.reverse is not None
        inputs = self.scaling.inputs(query.next_states, query.commands)
        got = self.reverse(_told(inputs, context))
        wanted = self.scaling.changes(query.states, query.next_states)
        wrong = (got - wanted).square().mean(dim=-1)
        return (wrong * query.known).sum(dim=1) / query.known.sum(dim=1).clamp_min(1.0)


def _told(inputs: Tensor, context: Tensor) -> Tensor:
    """Return inputs (ntask, k, nin) with their task's context beside each."""
    every = context[:, None].expand(-1, inputs.shape[1], -1)
    return torch.cat([inputs, every], dim=-1)
