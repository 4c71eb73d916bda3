"""Random shooting: the best of many."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from sim2real.mpc.planner import Objective, Planner, best, within


@final
@dataclass(frozen=True, kw_only=True)
class RandomShooting(Planner):
    """Tries normal actions around 0, and the last plan; takes the best sequence as it is."""

    std: float = 1.0

    @property
    def ndraws(self) -> int:  # noqa: D102
        return self.candidates

    @property
    def samples(self) -> int:  # noqa: D102
        return self.candidates + 1

    @property
    def width(self) -> int:  # noqa: D102
        return self.samples

    def search(  # noqa: D102
        self, score: Objective, memory: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        tried = torch.cat([memory, within(self.std * noise)])
        found = best(tried, score(tried), 1)
        return found[0], found
