"""A last layer that adapts in closed form, and knows how sure it is.

A Bayesian linear regression on learned features: its prior mean, and how far tasks differ from it,
are meta-learned through the solve (Harrison et al. 2018, ALPaCA; Bertinetto et al. 2019, R2-D2).
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from sim2real.errors import MetaError


@dataclass(frozen=True)
class Evidence:
    """What is known of the last layers of `ntask` tasks: sums over all samples so far.

    Samples may come at once or one by one, and old ones fade: the result is the same regression.
    """

    precision: Tensor
    """Σ φ φᵀ, (ntask, nfeature, nfeature)."""
    moment: Tensor
    """Σ φ (y − φ W₀)ᵀ, (ntask, nfeature, nout)."""

    @classmethod
    def none(cls, ntask: int, nfeature: int, nout: int, like: Tensor) -> "Evidence":
        """Return what is known before the first sample: nothing."""
        return cls(like.new_zeros(ntask, nfeature, nfeature), like.new_zeros(ntask, nfeature, nout))

    def plus(self, features: Tensor, errors: Tensor, *, keep: float = 1.0) -> "Evidence":
        """Return it with samples φ (ntask, n, nfeature), y − φ W₀ (ntask, n, nout).

        `keep` is the share of the old evidence that still counts: below 1, a robot that has changed
        is believed sooner. The prior does not fade.
        """
        return Evidence(
            keep * self.precision + features.mT @ features,
            keep * self.moment + features.mT @ errors,
        )


@dataclass(frozen=True)
class LastLayer:
    """The posterior of `ntask` last layers."""

    change: Tensor
    """Of the weight, (ntask, nfeature, nout)."""
    covariance: Tensor
    """Of each output's weights, in units of its noise (ntask, nfeature, nfeature)."""


def solve(evidence: Evidence, strength: Tensor) -> LastLayer:
    """Return the posterior of last layers, normal around W₀ a priori with precision `strength`.

    Least squares with `strength` |W − W₀|², exactly; differentiable.
    """
    eye = torch.eye(evidence.precision.shape[-1], dtype=evidence.precision.dtype)
    factor = torch.linalg.cholesky(evidence.precision + strength * eye)
    return LastLayer(torch.cholesky_solve(evidence.moment, factor), torch.cholesky_inverse(factor))


def change_by_samples(features: Tensor, errors: Tensor, strength: Tensor) -> Tensor:
    """Return `solve(...).change` by a system of as many equations as samples, not features.

    With fewer samples n than features it is the cheaper one: φᵀ (φ φᵀ + strength)⁻¹ (y − φ W₀).
    """
    eye = torch.eye(features.shape[1], dtype=features.dtype)
    factor = torch.linalg.cholesky(features @ features.mT + strength * eye)
    return features.mT @ torch.cholesky_solve(errors, factor)


@final
class RidgeModel(nn.Module):
    """Features (n, nfeature) of inputs (n, nin), and a linear last layer that adapts to a task."""

    def __init__(self, features: nn.Module, nfeature: int, nout: int, strength: float = 10.0):
        """Take the features' module; `strength` is what the learned prior precision starts as."""
        super().__init__()
        self.features, self.nout = features, nout
        self.last = nn.Linear(nfeature, nout, bias=False)
        self.log_strength = nn.Parameter(torch.tensor(math.log(strength)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return predictions of the model that has adapted to nothing."""
        return self.last(self.embed(inputs))

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the features (..., nfeature)."""
        return self.features(inputs)

    def query_predictions(self, support: tuple[Tensor, Tensor], query: Tensor) -> Tensor:
        """Return predictions (ntask, m, nout) for the query, adapted to the support."""
        known, asked = self.embed(support[0]), self.embed(query)
        errors = support[1] - self.last(known)
        change = change_by_samples(known, errors, self.log_strength.exp())
        return self.last(asked) + asked @ change

    @torch.no_grad()
    def observe(
        self, evidence: Evidence | None, inputs: Tensor, targets: Tensor, *, keep: float = 1.0
    ) -> Evidence:
        """Return the evidence with samples (ntask, n, nin), (ntask, n, nout) added.

        Raises:
            MetaError: a sample is not finite.
        """
        features = self.embed(inputs)
        errors = targets - self.last(features)
        if not (bool(torch.isfinite(features).all()) and bool(torch.isfinite(errors).all())):
            raise MetaError("the data to adapt to are not finite: leave such samples out")
        if evidence is None:
            evidence = Evidence.none(len(inputs), features.shape[-1], self.nout, features)
        return evidence.plus(features, errors, keep=keep)

    def predict(self, inputs: Tensor, layer: LastLayer) -> tuple[Tensor, Tensor]:
        """Return predictions (ntask, n, nout), and their variance in units of the noise's.

        The variance (ntask, n) is 1 for the noise alone, and more where the features are new.
        """
        features = self.embed(inputs)
        mean = self.last(features) + features @ layer.change
        return mean, 1.0 + ((features @ layer.covariance) * features).sum(dim=-1)
