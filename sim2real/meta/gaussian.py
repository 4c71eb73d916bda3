"""A dynamics model that tells how sure it is of each prediction, and does not adapt."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling

_BOUNDS = 0.01  # what the reference implementation of PETS weighs the width of the bounds with


@final
class GaussianDynamics(Dynamics):
    """Mean and variance of each change, by maximum likelihood (PETS, Chua et al. 2018).

    The logarithm of a variance is kept between two learned bounds: a network would answer anything
    where it was not trained.
    """

    def __init__(self, scaling: Scaling, hidden: tuple[int, ...], activation: str, window: int):
        """Make an untrained model; it learns from windows, and makes no other use of them."""
        super().__init__(scaling, window)
        self.body = perceptron((scaling.nin, *hidden, 2 * scaling.nchange), activation)
        self.least = nn.Parameter(torch.full((scaling.nchange,), -10.0))
        self.most = nn.Parameter(torch.full((scaling.nchange,), 0.5))

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        return self.unadapted(len(window.known))

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return Adapted(
            self.scaling,
            lambda inputs: self.body(inputs).chunk(2, dim=-1)[0],
            uncertainty=lambda inputs: (0.5 * self._log_variance(self.body(inputs))).exp(),
        )

    def loss(self, window: Window, query: Window) -> Tensor:
        """Return the negative log-likelihood (ntask,) of both, up to a constant."""
        width = _BOUNDS * (self.most - self.least).sum()
        return 0.5 * (self._surprise(window) + self._surprise(query)) + width

    def _surprise(self, seen: Window) -> Tensor:
        answer = self.body(self.scaling.inputs(seen.states, seen.commands))
        wrong = answer.chunk(2, dim=-1)[0] - self.scaling.changes(seen.states, seen.next_states)
        log_variance = self._log_variance(answer)
        surprise = (wrong.square() * (-log_variance).exp() + log_variance).mean(dim=-1)
        return (surprise * seen.known).sum(dim=1) / seen.known.sum(dim=1).clamp_min(1.0)

    def _log_variance(self, answer: Tensor) -> Tensor:
        raw = answer.chunk(2, dim=-1)[1]
        raw = self.most - softplus(self.most - raw)
        return self.least + softplus(raw - self.least)
