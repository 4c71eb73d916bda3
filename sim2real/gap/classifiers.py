"""Ensembles of the two classifiers that tell the domains apart."""

import math
from itertools import pairwise
from typing import final

import torch
from torch import nn

Pair = tuple[torch.Tensor, torch.Tensor]


@final
class Classifiers(nn.Module):
    """`members` pairs of classifiers, computed together.

    The one that sees (s, a, s') is a residual on the logits of the one that sees (s, a)
    (google-research/darc, darc_agent.py): what both know cancels in Δr without being learned twice.
    """

    def __init__(
        self,
        nsa: int,
        nchange: int,
        hidden: tuple[int, ...],
        members: int,
        generator: torch.Generator,
    ):
        """Make untrained classifiers.

        Args:
            nsa: how many numbers state and action have together.
            nchange: how many numbers a change of state has.
            hidden: sizes of the hidden layers.
            members: of the ensemble.
            generator: of the initial weights.
        """
        super().__init__()
        self.members = members
        self._sa = _Networks((nsa, *hidden, 2), members, generator)
        self._residual = _Networks((nsa + nchange, *hidden, 2), members, generator)

    def forward(self, sa: torch.Tensor, sas: torch.Tensor) -> Pair:
        """Return the residual and the SA logits, each (members, n, 2).

        The logits of the classifier of (s, a, s') are their sum. Inputs are (members, n, size), or
        (n, size) for all members alike.
        """
        return self._residual(sas), self._sa(sa)


class _Networks(nn.Module):
    """Multilayer perceptrons of one shape, side by side."""

    def __init__(self, sizes: tuple[int, ...], members: int, generator: torch.Generator):
        super().__init__()
        self._weights, self._biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            bound = 1.0 / math.sqrt(inputs)
            for shape, group in (
                ((members, inputs, outputs), self._weights),
                ((members, 1, outputs), self._biases),
            ):
                values = torch.rand(shape, generator=generator)
                group.append(nn.Parameter(bound * (2.0 * values - 1.0)))
        with torch.no_grad():  # an untrained classifier knows nothing
            self._weights[-1].zero_()
            self._biases[-1].zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 2:
            x = x.expand(len(self._weights[0]), *x.shape)
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            x = torch.relu(torch.baddbmm(bias, x, weight))
        return torch.baddbmm(self._biases[-1], x, self._weights[-1])
