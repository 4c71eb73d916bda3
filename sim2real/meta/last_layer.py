"""Adaptation of the last layer in closed form (ALPaCA, R2-D2), judged by leaving samples out."""

import math
from typing import final

import torch
from torch import Tensor, nn

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling
from sim2real.meta.symmetric import inverse


@final
class LastLayerDynamics(Dynamics):
    """Learned features, and a last layer that is the ridge solution on what was just done.

    Features, the prior (where the solution is pulled to, and how strongly) and how fast old
    transitions fade are learned through the solution. How far it is followed is told by the errors
    on transitions that are left out one by one, which a ridge solution knows without being solved
    again.
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
    ):
        """Make an untrained model; without `meta` it learns as if its last layer did not adapt."""
        super().__init__(scaling, window)
        self.meta = meta
        self.body = perceptron((scaling.nin, *hidden), activation, last=activation)
        self.last = nn.Linear(hidden[-1], scaling.nchange)
        self.log_strength = nn.Parameter(torch.tensor(math.log(strength)), requires_grad=meta)
        self.log_forgetting = nn.Parameter(torch.tensor(math.log(1e-3)), requires_grad=meta)

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        weight = (window.known * self._fade(window.known))[..., None]
        features = self._features(self.scaling.inputs(window.states, window.commands))
        wanted = self.scaling.changes(window.states, window.next_states)
        errors = weight * (wanted - self.last(features[..., :-1]))
        features = weight * features
        strength = self.log_strength.exp()
        eye = torch.eye(features.shape[1], dtype=features.dtype)
        gram = inverse(features @ features.mT + strength * eye, least=strength)
        weights = gram @ errors
        left_out = weight.sign() * weights / gram.diagonal(dim1=-2, dim2=-1)[..., None]
        share = _share(errors, left_out)
        change = share * (features.mT @ weights)
        noise = _noise(errors - share * (errors - left_out), weight)

        def uncertainty(inputs: Tensor) -> Tensor:
            seen = self._features(inputs)
            explained = ((seen @ features.mT @ gram) * (seen @ features.mT)).sum(dim=-1)
            new = (seen.square().sum(dim=-1) - explained).clamp_min(0.0) / strength
            return noise * (1.0 + new[..., None]).sqrt()

        return Adapted(
            self.scaling, lambda inputs: self._predict(inputs, change), uncertainty=uncertainty
        )

    def _fade(self, known: Tensor) -> Tensor:
        """Return the square root of how much transitions still count (n,), the newest 1."""
        age = torch.arange(known.shape[1] - 1, -1, -1, dtype=known.dtype)
        return torch.exp(-0.5 * self.log_forgetting.exp() * age)

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return Adapted(self.scaling, lambda inputs: self.last(self.body(inputs)))

    def loss(self, window: Window, query: Window) -> Tensor:  # noqa: D102
        if self.meta:
            return super().loss(window, query)
        model = self.unadapted(len(window.known))
        return 0.5 * (self.error(model, window) + self.error(model, query))

    def _predict(self, inputs: Tensor, change: Tensor) -> Tensor:
        # one product with the changed layer, not one with the layer and one with the change
        weight, bias = self.last.weight.mT + change[:, :-1], self.last.bias + change[:, -1:]
        return self.body(inputs) @ weight + bias

    def _features(self, inputs: Tensor) -> Tensor:
        """Return what the last layer sees, and 1 for its bias, (ntask, n, nfeature + 1)."""
        features = self.body(inputs)
        return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)


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
