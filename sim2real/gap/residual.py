"""Residual dynamics: the force that a model lacks, as a function of state and command."""

import copy
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.floating[Any]]

_HIDDEN, _BATCH, _RATE, _DECAY = 64, 128, 2e-3, 1e-4
_EVERY = 5
"""One transition in so many is held out."""
_SURE = 2.5
"""Standard errors by which held-out forces must be foreseen for any of it to be believed."""
_CUT = 0.005
"""Share of the largest forces, on either side, that is not learned."""


@final
class ResidualForce:
    """Generalized forces at a robot's joints (n, njoint), learned from those that were missing.

    A network of state and command. What it says of transitions that it was not fitted to scales
    each joint's force, to zero where it foresees nothing: a joint of whose force chance is as good
    an explanation stays as the model has it. It never exceeds what was missing where it learned.
    """

    def __init__(self, nfeature: int, njoint: int, seed: int):
        self._generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._network = nn.Sequential(
                nn.Linear(nfeature, _HIDDEN),
                nn.Tanh(),
                nn.Linear(_HIDDEN, _HIDDEN),
                nn.Tanh(),
                nn.Linear(_HIDDEN, njoint),
            )
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), _RATE, weight_decay=_DECAY, fused=True
        )
        self._input = (torch.zeros(nfeature), torch.ones(nfeature))
        self._output = (torch.zeros(njoint), torch.ones(njoint))
        self._trust = torch.zeros(njoint)
        self._bounds = (torch.zeros(njoint), torch.zeros(njoint))

    def fit(self, features: Array, force: Array, steps: int) -> dict[str, float]:
        """Take `steps` steps on features (n, d) and the forces missing there (n, njoint).

        Returns what to log: how much of the variance that was held out is foreseen.
        """
        x, y = _tensor(features), _tensor(force)
        self._bounds = (torch.quantile(y, _CUT, dim=0), torch.quantile(y, 1.0 - _CUT, dim=0))
        y = y.clamp(*self._bounds)
        self._input, self._output = _moments(x), _moments(y)
        x, y = _standardized(x, self._input), _standardized(y, self._output)
        out = torch.arange(len(x)) % _EVERY == 0
        fitted = torch.nonzero(~out)[:, 0]
        for _ in range(steps):
            rows = fitted[torch.randint(len(fitted), (_BATCH,), generator=self._generator)]
            loss = nn.functional.smooth_l1_loss(self._network(x[rows]), y[rows])
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
        return self._judge(x[out], y[out])

    def __call__(self, features: Array) -> NDArray[np.float64]:
        """Return the forces (n, njoint) at features (n, d)."""
        with torch.no_grad():
            found = self._network(_standardized(_tensor(features), self._input))
            mean, scale = self._output
            force = self._trust * (mean + scale * found)
            return force.clamp(*self._bounds).double().numpy()

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "network": copy.deepcopy(self._network.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
            "numbers": (self._input, self._output, self._trust, self._bounds),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._network.load_state_dict(data["network"])
        self._optimizer.load_state_dict(data["optimizer"])
        self._generator.set_state(data["generator"])
        self._input, self._output, self._trust, self._bounds = data["numbers"]

    def _judge(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
        """Set how far each joint's force is believed, by standardized rows that were held out.

        A regression through zero of the true force on the foreseen one, shrunk by its own error.
        """
        mean, scale = self._output
        with torch.no_grad():
            foreseen = mean + scale * self._network(x)
        true = mean + scale * y
        power = foreseen.square().sum(dim=0).clamp_min(1e-12)
        slope = (foreseen * true).sum(dim=0) / power
        rest = (true - slope * foreseen).square()
        error = (foreseen.square() * rest).sum(dim=0) / power.square()
        sure = 1.0 - _SURE**2 * error / slope.square().clamp_min(1e-12)
        self._trust = (slope * sure.clamp_min(0.0)).clamp(0.0, 1.0)
        left = (true - self._trust * foreseen).square().mean(dim=0)
        whole = true.square().mean(dim=0).clamp_min(1e-12)
        return {
            "foreseen": float(1.0 - left.sum() / whole.sum()),
            "trusted": float(self._trust.mean()),
        }


def _tensor(rows: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows, np.float32))


def _moments(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return rows.mean(dim=0), rows.std(dim=0).clamp_min(1e-6)


def _standardized(rows: torch.Tensor, moments: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return ((rows - moments[0]) / moments[1]).clamp(-10.0, 10.0)
