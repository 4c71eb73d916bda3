"""A recurrent policy whose memory is an argument and a result."""

from typing import Any, final

import torch
from torch import nn

from sim2real.errors import ControllerError


@final
class RecurrentPolicy(nn.Module):
    """Observation → before → GRU or LSTM → after → action, one step at a time.

    Made of torch's cells, not of its recurrent layers: their ONNX operators exist in float32 only
    and for one row at a time. States are `hidden` and, of an LSTM, `cell`, with the numbers of all
    layers side by side: (n, layers x size).
    """

    def __init__(self, layer: nn.RNNBase, before: nn.Module, after: nn.Module):
        """Take the weights of a `torch.nn.GRU` or `LSTM`, one direction, without projection.

        Args:
            layer: the recurrent layers.
            before: observation → what the first layer takes; `nn.Identity()` for nothing.
            after: what the last layer gives → action.
        """
        super().__init__()
        if not isinstance(layer, nn.GRU | nn.LSTM) or layer.bidirectional or layer.proj_size:
            raise ControllerError(
                f"{layer} is not a GRU or LSTM of one direction without projection: give one"
            )
        self.before, self.after = before, after
        self.cells = nn.ModuleList(_cell(layer, index) for index in range(layer.num_layers))
        self.size, self._has_cell = layer.hidden_size, isinstance(layer, nn.LSTM)
        total = layer.num_layers * layer.hidden_size
        self.state_sizes = {"hidden": total} | ({"cell": total} if self._has_cell else {})
        self.eval()

    def forward(self, observation: torch.Tensor, *states: torch.Tensor) -> Any:
        """Return the action and the next states, in the order of `state_sizes`."""
        value = self.before(observation)
        old = [state.split(self.size, dim=1) for state in states]
        new: list[list[torch.Tensor]] = [[] for _ in states]
        for index, cell in enumerate(self.cells):
            if self._has_cell:
                following = cell(value, (old[0][index], old[1][index]))
            else:
                following = (cell(value, old[0][index]),)
            value = following[0]
            for collected, state in zip(new, following, strict=True):
                collected.append(state)
        return self.after(value), *(torch.cat(state, dim=1) for state in new)


def _cell(layer: nn.RNNBase, index: int) -> nn.RNNCellBase:
    """Return the cell with the weights of one of the layers."""
    kind = nn.LSTMCell if isinstance(layer, nn.LSTM) else nn.GRUCell
    ninput = layer.input_size if index == 0 else layer.hidden_size
    cell = kind(ninput, layer.hidden_size, bias=layer.bias)
    weights = layer.state_dict()
    cell.load_state_dict({name: weights[f"{name}_l{index}"] for name in cell.state_dict()})
    return cell
