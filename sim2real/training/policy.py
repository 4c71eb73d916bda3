"""A feed-forward policy: observation → action, detached from the library that trained it."""

import itertools
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh}


class Policy(nn.Module):
    """Normalized observation → multilayer perceptron → action, clipped to [-1, 1] later."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, sizes: tuple[int, ...], activation: str, *, squash: bool = False):
        """Make an untrained policy.

        Args:
            sizes: of the layers, from the observation's to the action's.
            activation: a key of ACTIVATIONS.
            squash: whether tanh bounds the action, as SAC's policies do.
        """
        super().__init__()
        self.sizes, self.activation, self.squash = sizes, activation, squash
        self.register_buffer("mean", torch.zeros(sizes[0]))
        self.register_buffer("scale", torch.ones(sizes[0]))
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return actions (n, ncommand) for observations (n, nobs)."""
        action = self.layers((observation - self.mean) / self.scale)
        return torch.tanh(action) if self.squash else action

    def act(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return actions for numpy observations."""
        with torch.inference_mode():
            return self(torch.from_numpy(observation)).numpy()

    def copy_layers(self, *modules: nn.Module) -> None:
        """Take the weights of the linear layers in `modules`, in order."""
        given = [m for module in modules for m in module.modules() if isinstance(m, nn.Linear)]
        own = [m for m in self.layers if isinstance(m, nn.Linear)]
        for mine, theirs in zip(own, given, strict=True):
            mine.load_state_dict(theirs.state_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data from which `from_dict` makes the same policy."""
        return {
            "sizes": self.sizes,
            "activation": self.activation,
            "squash": self.squash,
            "weights": {name: value.clone() for name, value in self.state_dict().items()},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Policy":
        """Return the policy that `to_dict` described."""
        policy = cls(tuple(data["sizes"]), data["activation"], squash=data["squash"])
        policy.load_state_dict(data["weights"])
        return cast("Policy", policy.eval())
