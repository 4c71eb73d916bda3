"""Noise without a random number generator: a fixed tape of normal numbers, and a place on it."""

import numpy as np
import torch
from torch import Tensor, nn

from sim2real.parameters import randomness

_LENGTH = 65_537  # prime: any stride visits every place before it comes back
_STRIDE = 40_503  # about the golden section of the length: neighbours in time start far apart


class NoiseTape(nn.Module):
    """Standard normal numbers for a planner, the same on every machine and in every runtime.

    A graph's own random operators have no state that could be carried, and each runtime draws
    other numbers. Here step k reads on from place k x stride of a tape: an hour at 20 Hz without a
    repetition. Its numbers are a constant of the graph.
    """

    tape: Tensor

    def __init__(self, shape: tuple[int, ...], *, seed: int = 0):
        """Take the shape of what is drawn at once."""
        super().__init__()
        self.shape, count = shape, int(np.prod(shape))
        numbers = randomness.normal(seed, "planner's noise", np.arange(1), size=_LENGTH)[0]
        around = np.resize(numbers, _LENGTH + count)  # a draw near the end reads on at the begin
        self.register_buffer("tape", torch.from_numpy(around.astype(np.float32)))

    def forward(self, place: Tensor) -> tuple[Tensor, Tensor]:
        """Return the draw at a place (1, 1), and the next place; any finite number is a place."""
        start = torch.remainder(torch.floor(torch.abs(place)), _LENGTH)
        rows = start.reshape(()).long() + torch.arange(int(np.prod(self.shape)))
        following = torch.remainder(start + _STRIDE, _LENGTH)
        return self.tape[rows].reshape(self.shape), following
