"""Adaptation of the last layer in closed form (ALPaCA, R2-D2), judged by leaving samples out."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from sim2real.meta.drive_gains import DriveGains
from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling
from sim2real.meta.symmetric import inverse

_UNADAPTED = 0.1  # weight of the unadapted error in what is learned: more, and it adapts less
_FADED = 1e-3  # least weight whose error is told


@dataclass(frozen=True)
class _Solution:
    """What a window told."""

    gains: Tensor | None
    """Of the drives, if they are solved for."""
    change: Tensor
    """Of the last layer (ntask, nfeature + 1, nchange)."""
    features: Tensor
    """Of the window's transitions, weighted (ntask, n, nfeature + 1)."""
    gram: Tensor
    """The inverse of what they have in common, with the prior (ntask, n, n)."""
    left_out: Tensor
    """Errors of each transition by the others' solution (ntask, n, nchange)."""
    noise: Tensor
    """Standard deviations of errors (ntask, 1, nchange)."""


@final
class LastLayerDynamics(Dynamics):
    """Learned features, and a last layer that is the ridge solution on what was just done.

    Features, the prior (where the solution is pulled to, and how strongly) and how fast old
    transitions fade are learned through the solution. How far it is followed is told by the errors
    on transitions that are left out one by one, which a ridge solution knows without being solved
    again. With `drives` it is first solved for how strongly each drive acts, and the last layer for
    what that leaves unexplained.
    """

    def __init__(
        self,
        scaling: Scaling,
        hidden: tuple[int, ...],
        activation: str,
        window: int,
        *,
        strength: float = 10.0,
        meta: bool = True,
        drives: bool = False,
    ):
        """Make an untrained model; without `meta` it learns as if its last layer did not adapt."""
        super().__init__(scaling, window)
        self.meta = meta
        self.body = perceptron((scaling.nin, *hidden), activation, last=activation)
        self.last = nn.Linear(hidden[-1], scaling.nchange)
        self.drives = DriveGains(scaling) if drives else None
        self.log_strength = nn.Parameter(torch.tensor(math.log(strength)), requires_grad=meta)
        self.log_forgetting = nn.Parameter(torch.tensor(math.log(1e-3)), requires_grad=meta)

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        return self._adapted(self._solved(window))

    def _solved(self, window: Window) -> _Solution:
        inputs = self.scaling.inputs(window.states, window.commands)
        wanted = self.scaling.changes(window.states, window.next_states)
        weight = (window.known * self._fade(window.known))[..., None]
        gains = None
        if self.drives is not None:
            gains = self.drives.solve(self._plain, inputs, wanted, weight)
        features = self._features(inputs, gains)
        errors = weight * (wanted - self.last(features[..., :-1]))
        features = weight * features
        strength = self.log_strength.exp()
        eye = torch.eye(features.shape[1], dtype=features.dtype)
        gram = inverse(features @ features.mT + strength * eye, least=strength)
        weights = gram @ errors
        left_out = weight.sign() * weights / gram.diagonal(dim1=-2, dim2=-1)[..., None]
        share = _share(errors, left_out)
        remaining = errors - share * (errors - left_out)
        return _Solution(
            gains=gains,
            change=share * (features.mT @ weights),
            features=features,
            gram=gram,
            left_out=remaining / weight.clamp_min(_FADED),
            noise=_noise(remaining, weight),
        )

    def _adapted(self, found: _Solution) -> Adapted:
        strength = self.log_strength.exp()

        def uncertainty(inputs: Tensor) -> Tensor:
            seen = self._features(inputs, found.gains)
            common = seen @ found.features.mT
            explained = ((common @ found.gram) * common).sum(dim=-1)
            new = (seen.square().sum(dim=-1) - explained).clamp_min(0.0) / strength
            return found.noise * (1.0 + new[..., None]).sqrt()

        def network(inputs: Tensor) -> Tensor:
            # one product with the changed layer, not one with the layer and one with the change
            weight = self.last.weight.mT + found.change[:, :-1]
            bias = self.last.bias + found.change[:, -1:]
            return self.body(self._given(inputs, found.gains)) @ weight + bias

        return Adapted(self.scaling, network, uncertainty=uncertainty)

    def _plain(self, inputs: Tensor) -> Tensor:
        return self.last(self.body(inputs))

    def _given(self, inputs: Tensor, gains: Tensor | None) -> Tensor:
        return inputs if self.drives is None or gains is None else self.drives.given(inputs, gains)

    def _fade(self, known: Tensor) -> Tensor:
        """Return the square root of how much transitions still count (n,), the newest 1."""
        age = torch.arange(known.shape[1] - 1, -1, -1, dtype=known.dtype)
        return torch.exp(-0.5 * self.log_forgetting.exp() * age)

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return Adapted(self.scaling, self._plain)

    def loss(self, window: Window, query: Window) -> Tensor:
        """Return the error (ntask,) on the query, on the window, and of the unadapted model.

        In the window each transition is predicted by the others: that is as much to learn from
        again as the window is long. The model that has adapted to nothing is what the solution
        starts from, and what is planned on before anything is known.
        """
        model = self.unadapted(len(window.known))
        unadapted = self.error(model, query)
        if not self.meta:
            return 0.5 * (self.error(model, window) + unadapted)
        found = self._solved(window)
        left_out = _mean_square(found.left_out, window.known)
        return self.error(self._adapted(found), query) + left_out + _UNADAPTED * unadapted

    def _features(self, inputs: Tensor, gains: Tensor | None) -> Tensor:
        """Return what the last layer sees, and 1 for its bias, (ntask, n, nfeature + 1)."""
        features = self.body(self._given(inputs, gains))
        return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)


def _mean_square(errors: Tensor, known: Tensor) -> Tensor:
    """Return the mean squares (ntask,) of errors (ntask, n, nchange) on known transitions."""
    return (errors.square().mean(dim=-1) * known).sum(dim=1) / known.sum(dim=1).clamp_min(1.0)


def _share(errors: Tensor, left_out: Tensor) -> Tensor:
    """Return how much of the change to take (ntask, 1, 1), in [0, 1].

    What would have been best for transitions that the change was not fitted to: `errors` are those
    of the unadapted model, `left_out` those of one fitted to all others (ntask, n, nout).
    """
    helps = errors - left_out  # what the change would have added to each prediction
    gain = (errors * helps).sum(dim=(1, 2), keepdim=True)
    return (gain / helps.square().sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)).clamp(0.0, 1.0)


def _noise(errors: Tensor, weight: Tensor) -> Tensor:
    """Return standard deviations (ntask, 1, nout) of errors that weigh `weight` (ntask, n, 1).

    With what one standard deviation of the data would add to them: a few errors may be small.
    """
    total = weight.square().sum(dim=1, keepdim=True) + 1.0
    return ((errors.square().sum(dim=1, keepdim=True) + 1.0) / total).sqrt()
