"""rsl_rl's models as policies that can be exported."""

from typing import Any

from rsl_rl.models import MLPModel, RNNModel
from torch import nn

from sim2real.errors import ControllerError
from sim2real.training.recurrent import RecurrentPolicy


def from_rsl_rl(model: MLPModel) -> nn.Module:
    """Return the deterministic policy of an actor of rsl_rl, with its normalizer.

    Args:
        model: an `MLPModel`, or an `RNNModel` with GRU or LSTM; `runner.alg.actor`.

    Raises:
        ControllerError: it is a model of another kind.
    """
    if type(model) is RNNModel:
        exported: Any = model.as_onnx()
        head = nn.Sequential(exported.mlp, exported.deterministic_output)
        return RecurrentPolicy(exported.rnn, exported.obs_normalizer, head)
    if type(model) is MLPModel:
        return model.as_onnx(verbose=False).eval()
    raise ControllerError(
        f"a {type(model).__name__} is not exported: give an MLPModel or RNNModel, or a torch module"
        " observation → action"
    )
