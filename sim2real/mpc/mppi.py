"""Model-predictive path integral control: a mean of all samples, weighted by what they return."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from sim2real.errors import ConfigError
from sim2real.mpc.planner import WORST, Objective, Planner, within


@final
@dataclass(frozen=True, kw_only=True)
class MPPI(Planner):
    """Williams et al. 2017, with weights exp(return / temperature) around the last plan.

    Continuous in what the model predicts, as a choice of elites is not.
    """

    candidates: int = 500
    iterations: int = 1
    temperature: float = 0.2
    """As a share of the returns' standard deviation among the better half of the candidates."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iterations < 1 or not self.temperature > 0.0:
            raise ConfigError(
                f"planner: iterations = {self.iterations} must be at least 1, and temperature ="
                f" {self.temperature} above 0"
            )

    @property
    def ndraws(self) -> int:  # noqa: D102
        return self.iterations * self.candidates

    def search(  # noqa: D102
        self, score: Objective, memory: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        mean = memory[0]
        for drawn in noise.split(self.candidates):
            tried = within(mean + self.std * drawn)
            weights = torch.softmax(self._advantages(score(tried)), dim=0)
            mean = (weights[:, None, None] * tried).sum(dim=0)
        return mean, mean[None]

    def _advantages(self, scores: Tensor) -> Tensor:
        """Return what the weights are the exponentials of; blown-up rollouts set no scale."""
        top = torch.topk(scores, (self.candidates + 1) // 2).values
        counts = (top > 0.5 * WORST).to(top.dtype)
        total = counts.sum().clamp(min=1.0)
        mean = (counts * top).sum() / total
        spread = torch.sqrt((counts * (top - mean) ** 2).sum() / total)
        return (scores - top[0]) / (self.temperature * spread + 1e-9)
