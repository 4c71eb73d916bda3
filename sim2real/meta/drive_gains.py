"""How strongly each drive acts, solved for on what a robot has just done."""

import math
from typing import final

import torch
from torch import Tensor, nn

from sim2real.meta.dynamics import Network
from sim2real.meta.scaling import Scaling
from sim2real.meta.symmetric import inverse

_MOST = 1.5  # of what a drive does in the model


@final
class DriveGains(nn.Module):
    """The share of what was commanded that each drive gives: 1 as in the model, 0 if it is dead.

    What a drive does is how predictions differ from those of a robot that lacks it. Of a robot's
    equations of motion that is linear in what drives give, so the shares are a ridge solution of
    as many unknowns as drives: a second of motion tells them well, also of a drive that never was
    weak in training ("loss of effectiveness" in fault-tolerant control, Zhang & Jiang 2008). How
    strongly they are pulled to 1 is learned through the solution.
    """

    def __init__(self, scaling: Scaling, *, strength: float = 1.0):
        """Take the scales of inputs and changes."""
        super().__init__()
        self.scaling, self.n = scaling, scaling.space.ncommand
        self.log_strength = nn.Parameter(torch.full((self.n,), math.log(strength)))

    def given(self, inputs: Tensor, gains: Tensor) -> Tensor:
        """Return standardized inputs (ntask, k, nin) where drives give a share (ntask, ncommand).

        A drive of which nothing is asked (no torque, or the position where it is) gives nothing.
        """
        scaling = self.scaling
        raw = inputs * scaling.input_scale + scaling.input_mean
        seen, command = raw[..., : -self.n], raw[..., -self.n :]
        idle = scaling.space.idle(seen)
        command = idle + gains[:, None] * (command - idle)
        command = (command - scaling.input_mean[-self.n :]) / scaling.input_scale[-self.n :]
        return torch.cat([inputs[..., : -self.n], command], dim=-1)

    def solve(self, network: Network, inputs: Tensor, changes: Tensor, weight: Tensor) -> Tensor:
        """Return the shares (ntask, ncommand) in [0, 1.5].

        Args:
            network: of the model whose drives all act as in the model.
            inputs: standardized, of the transitions (ntask, n, nin).
            changes: what followed, standardized (ntask, n, nchange).
            weight: square roots of how much each counts (ntask, n, 1).
        """
        with torch.no_grad():  # the network learns from predictions, not from what they tell here
            said = self._lacking(network, inputs)
            errors = (weight * (changes - said[:, 0])).flatten(1)
            does = (weight[:, None] * (said[:, :1] - said[:, 1:])).flatten(2)
            gram, told = does @ does.mT, does @ errors[..., None]
        strength = self.log_strength.exp()
        precision = inverse(gram + strength.diag(), least=strength.min())
        return (1.0 + (precision @ told)[..., 0]).clamp(0.0, _MOST)

    def _lacking(self, network: Network, inputs: Tensor) -> Tensor:
        """Return predictions with all drives, without the first, without the second, ...

        (ntask, 1 + ncommand, n, nchange).
        """
        ntask, n = inputs.shape[:2]
        drives = torch.cat(
            [inputs.new_ones(1, self.n), 1.0 - torch.eye(self.n, dtype=inputs.dtype)]
        )
        copies = inputs[:, None].expand(-1, 1 + self.n, -1, -1).flatten(0, 1)
        return network(self.given(copies, drives.repeat(ntask, 1))).reshape(
            ntask, 1 + self.n, n, -1
        )
