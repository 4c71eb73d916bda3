"""Standardized inputs and changes: what a dynamics model's network sees and says."""

import torch
from torch import Tensor, nn

from sim2real.meta.state import StateSpace

_MARGIN = 1.5
_THREE = torch.tensor([[-3.0], [3.0]])
_ANYWHERE = 1e9


class Scaling(nn.Module):
    """Means and scales of all training data, fixed before training, and how far the data went.

    Statistics of the newest data alone would change what the weights mean from round to round.
    """

    input_mean: Tensor
    input_scale: Tensor
    change_mean: Tensor
    change_scale: Tensor
    change_low: Tensor
    change_high: Tensor

    def __init__(self, space: StateSpace):
        """Make one that leaves numbers as they are, until `fit` is called."""
        super().__init__()
        self.space = space
        self.nin, self.nchange = space.nfeature + space.ncommand, space.nchange
        for name, size in (("input", self.nin), ("change", self.nchange)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.register_buffer("change_low", torch.full((self.nchange,), -torch.inf))
        self.register_buffer("change_high", torch.full((self.nchange,), torch.inf))

    @torch.no_grad()
    def fit(self, states: Tensor, commands: Tensor, next_states: Tensor) -> None:
        """Take the statistics of transitions (n, nstate), (n, ncommand), (n, nstate)."""
        inputs = torch.cat([self.space.features(states), commands], dim=-1)
        changes = self.space.change(states, next_states)
        for name, values in (("input", inputs), ("change", changes)):
            getattr(self, f"{name}_mean").copy_(values.mean(dim=0))
            getattr(self, f"{name}_scale").copy_(values.std(dim=0).clamp_min(1e-6))
        standard = self.changes(states, next_states)
        self.change_low.copy_(_MARGIN * standard.amin(dim=0).clamp_max(-1.0))
        self.change_high.copy_(_MARGIN * standard.amax(dim=0).clamp_min(1.0))

    def typical_state(self, noise: Tensor) -> Tensor:
        """Return states of joints (n, nstate) as in the training data, from normal noise (n, nin).

        What the model does not see is 0, and an angle is as far from 0 as the noise says.
        """
        seen = self.input_mean + self.input_scale * noise
        space = self.space
        plain = [i for i in range(space.njoint) if i not in (*space.unseen, *space.angles)]
        position = torch.zeros_like(noise[:, : space.njoint])
        position[:, plain] = seen[:, : len(plain)]
        position[:, list(space.angles)] = noise[:, len(plain) : len(plain) + len(space.angles)]
        begin = len(plain) + 2 * len(space.angles)
        return torch.cat([position, seen[:, begin : begin + space.njoint]], dim=1)

    def seen(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Return least and most of joints' positions and velocities in training, each (njoint,).

        As three standard deviations to both sides; all but infinite where the model does not see
        a joint's position, or not in which turn it is.
        """
        ends = [self.typical_state(side.expand(1, self.nin))[0] for side in _THREE]
        low, high = (torch.chunk(end, 2) for end in ends)
        free = list({*self.space.unseen, *self.space.angles})
        low[0][free], high[0][free] = -_ANYWHERE, _ANYWHERE
        return {"position": (low[0], high[0]), "velocity": (low[1], high[1])}

    def inputs(self, states: Tensor, commands: Tensor) -> Tensor:
        """Return what the network sees (..., nin)."""
        seen = torch.cat([self.space.features(states), commands], dim=-1)
        return (seen - self.input_mean) / self.input_scale

    def changes(self, states: Tensor, next_states: Tensor) -> Tensor:
        """Return what the network is to say (..., nchange)."""
        change = self.space.change(states, next_states)
        return (change - self.change_mean) / self.change_scale

    def within(self, states: Tensor, next_states: Tensor) -> Tensor:
        """Return whether transitions (..., nstate) are within 1.5 times the training data's.

        What is not is a sensor's glitch rather than a robot's doing.
        """
        changes = self.changes(states, next_states)
        return ((changes >= self.change_low) & (changes <= self.change_high)).all(dim=-1)

    def next_states(self, states: Tensor, changes: Tensor) -> Tensor:
        """Return states after changes that the network said.

        Changes are kept within 1.5 times what the training data held: a model outside of what it
        knows answers something large rather than infinite.
        """
        changes = changes.clamp(self.change_low, self.change_high)
        return self.space.moved(states, changes * self.change_scale + self.change_mean)
