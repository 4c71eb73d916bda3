"""The cross-entropy method: sample, keep the best, fit a distribution to them, sample again."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from sim2real.errors import ConfigError
from sim2real.mpc.planner import Objective, Planner, best, within


@final
@dataclass(frozen=True, kw_only=True)
class CEM(Planner):
    """As in PETS (Chua et al. 2018): normal, independent over time, fitted to the elites.

    Takes the mean, which a learned model's errors mislead less than the best sample; begins at the
    last plan.
    """

    iterations: int = 5
    elites: int = 50
    momentum: float = 0.1
    """Share of the old mean and variance in the new ones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_elites(self.iterations, self.elites, self.candidates, self.momentum)

    @property
    def ndraws(self) -> int:  # noqa: D102
        return self.iterations * self.candidates

    def search(  # noqa: D102
        self, score: Objective, memory: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        mean, std = memory[0], torch.full_like(memory[0], self.std)
        for drawn in noise.split(self.candidates):
            tried = within(mean + std * drawn)
            mean, std = fitted(best(tried, score(tried), self.elites), mean, std, self.momentum)
        return mean, mean[None]


def fitted(elites: Tensor, mean: Tensor, std: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of elites (n, ...), with a share of the old ones."""
    variance = momentum * std**2 + (1.0 - momentum) * elites.var(dim=0, correction=0)
    return momentum * mean + (1.0 - momentum) * elites.mean(dim=0), torch.sqrt(variance)


def check_elites(iterations: int, elites: int, candidates: int, momentum: float) -> None:
    """Raise ConfigError if these cannot narrow anything down."""
    if iterations < 1 or not 2 <= elites <= candidates:
        raise ConfigError(
            f"planner: iterations = {iterations} must be at least 1, and elites = {elites} from 2"
            f" to candidates = {candidates}"
        )
    if not 0.0 <= momentum < 1.0:
        raise ConfigError(f"planner: momentum = {momentum} must be in [0, 1)")
