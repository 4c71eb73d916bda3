"""iCEM: the cross-entropy method with a memory, and noise that is smooth over time."""

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from sim2real.errors import ConfigError
from sim2real.mpc.cem import check_elites, fitted
from sim2real.mpc.planner import Objective, Planner, best, within


@final
@dataclass(frozen=True, kw_only=True)
class ICEM(Planner):
    """Pinneri et al. 2020: fewer samples by coloured noise, kept elites and shrinking rounds.

    Elites are tried again in the next iteration and, moved on, in the next plan; each iteration has
    fewer candidates; the mean is tried in the last one.
    """

    candidates: int = 64
    colour: float = 2.0
    iterations: int = 3
    elites: int = 10
    kept: int = 3
    """Elites that are tried again."""
    decay: float = 1.25
    """Each iteration has this many times fewer candidates."""
    momentum: float = 0.1
    execute: Literal["mean", "best"] = "mean"
    """What becomes the plan. The best sample is the better one where the objective is the truth;
    on a learned model it is the one that exploits its errors most (mbrl-lib, PR 70)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_elites(self.iterations, self.elites, self.candidates, self.momentum)
        if not 0 <= self.kept <= self.elites or not self.decay >= 1.0:
            raise ConfigError(
                f"planner: kept = {self.kept} must be from 0 to elites = {self.elites}, and decay ="
                f" {self.decay} at least 1"
            )

    @property
    def rounds(self) -> list[int]:
        """How many new candidates each iteration has."""
        fewest = 2 * self.elites
        return [
            max(round(self.candidates * self.decay**-i), min(fewest, self.candidates))
            for i in range(self.iterations)
        ]

    @property
    def ndraws(self) -> int:  # noqa: D102
        return sum(self.rounds)

    @property
    def samples(self) -> int:  # noqa: D102
        return self.ndraws + self.nmemory + (self.iterations - 1) * self.kept + 1

    @property
    def width(self) -> int:  # noqa: D102
        last = len(self.rounds) - 1
        again = [self.nmemory, *[self.kept] * last]
        return max(n + again[i] + (i == last) for i, n in enumerate(self.rounds))

    @property
    def nmemory(self) -> int:  # noqa: D102
        return 1 + self.kept

    def search(  # noqa: D102
        self, score: Objective, memory: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        mean, std = memory[0], torch.full_like(memory[0], self.std)
        again = elites = memory
        for index, drawn in enumerate(noise.split(self.rounds)):
            last = index == self.iterations - 1
            tried = [within(mean + std * drawn), again, *([mean[None]] if last else [])]
            sequences = torch.cat(tried)
            elites = best(sequences, score(sequences), self.elites)
            mean, std = fitted(elites, mean, std, self.momentum)
            again = elites[: self.kept]
        return (mean if self.execute == "mean" else elites[0]), torch.cat([mean[None], again])
