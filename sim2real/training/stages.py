"""What stands between observation and policy in other libraries: a normalizer, a history.

Each wraps a policy and is one: a module with `state_sizes` takes an array (n, size) of each state
beside the observation, and returns (action, *next states). States are 0 at the start.
"""

from collections.abc import Mapping
from typing import Any, Literal, final

import numpy as np
import torch
from torch import nn


def sizes_of(policy: nn.Module) -> dict[str, int]:
    """Return what a policy carries from step to step, name → size."""
    sizes: Mapping[str, int] = getattr(policy, "state_sizes", {})
    return dict(sizes)


@final
class Normalized(nn.Module):
    """A policy that sees (observation - mean) / scale, at most `clip` from 0."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, policy: nn.Module, mean: Any, scale: Any, clip: float = float("inf")):
        """Wrap `policy`; `mean` and `scale` are (nobs,)."""
        super().__init__()
        self.policy, self.clip = policy, clip
        self.state_sizes = sizes_of(policy)
        for name, value in (("mean", mean), ("scale", scale)):
            self.register_buffer(name, torch.as_tensor(np.array(value), dtype=torch.float64))

    def forward(self, observation: torch.Tensor, *states: torch.Tensor) -> Any:
        """Return the policy's answer."""
        seen = (observation - self.mean) / self.scale
        if np.isfinite(self.clip):
            seen = torch.clamp(seen, -self.clip, self.clip)
        return self.policy(seen.to(observation.dtype), *states)


@final
class History(nn.Module):
    """A policy that sees the last `length` observations side by side, the newest last.

    Before there are so many, the rest is 0, or the first observation again.
    """

    def __init__(
        self, policy: nn.Module, nobs: int, length: int, fill: Literal["zero", "first"] = "zero"
    ):
        """Wrap `policy`, which takes (n, length x nobs)."""
        super().__init__()
        self.policy, self.nobs, self.length, self.fill = policy, nobs, length, fill
        begun = {"history_begun": 1} if fill == "first" else {}
        self.state_sizes = {"history": nobs * (length - 1), **begun, **sizes_of(policy)}

    def forward(self, observation: torch.Tensor, *states: torch.Tensor) -> Any:
        """Return the action and the next states."""
        past, *others = states
        following: list[torch.Tensor] = []
        if self.fill == "first":
            begun, *others = others
            again = observation.repeat(1, self.length - 1)
            past = torch.where(begun > 0.5, past, again)
            following = [torch.ones_like(begun)]
        seen = torch.cat([past, observation], dim=1)
        answer = self.policy(seen, *others)
        action, *rest = answer if others else (answer,)
        return action, seen[:, self.nobs :], *following, *rest
