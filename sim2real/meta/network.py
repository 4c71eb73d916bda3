"""The multilayer perceptrons of dynamics models."""

from itertools import pairwise

from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}


def perceptron(
    sizes: tuple[int, ...], activation: str, *, last: str | None = None
) -> nn.Sequential:
    """Return an MLP with layers of these sizes, with an activation after its last one if wanted."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    end = [] if last is None else [ACTIVATIONS[last]()]
    return nn.Sequential(*layers[:-1], *end)
