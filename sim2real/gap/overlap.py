"""Where two domains overlap: a classifier's answer elsewhere is extrapolation."""

from dataclasses import dataclass

import torch

_REFERENCES = 256
"""Points that stand for a domain: more tell no more, and cost in every query."""
_QUANTILE = 0.99
_SLACK = 1.25
"""A point is at home in a domain up to this many times as far from it as its own points are."""


@dataclass(frozen=True)
class Region:
    """Where a domain has been: its points (m, d), and how far from them is still near."""

    points: torch.Tensor
    radius: float

    @classmethod
    def of(cls, points: torch.Tensor, generator: torch.Generator) -> "Region":
        """Return the region of standardized points (n, d), n > 1."""
        chosen = torch.randperm(len(points), generator=generator)
        references, others = points[chosen[:_REFERENCES]], points[chosen[_REFERENCES:]]
        if len(others) >= _REFERENCES // 2:
            nearest = torch.cdist(others[: 2 * _REFERENCES], references).min(dim=1).values
        else:  # few points: each among the others
            distance = torch.cdist(references, references).fill_diagonal_(torch.inf)
            nearest = distance.min(dim=1).values
        return cls(references, _SLACK * float(torch.quantile(nearest, _QUANTILE)))

    def holds(self, points: torch.Tensor) -> torch.Tensor:
        """Return which points (n, d) are near what the domain has seen, (n,)."""
        return torch.cdist(points, self.points).min(dim=1).values <= self.radius
