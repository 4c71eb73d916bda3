"""PAR: what a representation learned on the target does not foresee (Lyu et al. 2024)."""

import copy
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sim2real.gap.estimator import EstimatorSettings
from sim2real.gap.judge import Judge
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

_LATENT = 32


@final
class RepresentationJudge(Judge):
    """Minus the mean squared mismatch of representations (arXiv:2405.15369, equation 4).

    An encoder f of states and a predictor g of the next state's representation are fitted to the
    target alone, g(f(s), a) to f(s') without its gradient; representations are divided by the mean
    of their absolute values, as the published code does. A source transition that they do not
    foresee is one that the target does not have.
    """

    def __init__(self, sizes: tuple[int, int, int], settings: EstimatorSettings, seed: int):
        nstate, naction, nchange = sizes
        self._generator = torch.Generator().manual_seed(seed)
        self._batch, self._nstate = settings.batch, nstate
        hidden = settings.hidden[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # s' is given as its change beside s: an angle's is not a difference
            self._encoder = _network(nstate + nchange, hidden)
            self._predictor = _network(_LATENT + naction, hidden)
        self._networks = nn.ModuleList([self._encoder, self._predictor])
        self._optimizer = torch.optim.Adam(
            self._networks.parameters(), settings.learning_rate, fused=True
        )
        self._sizes = [nstate, naction, nchange]
        self._mean, self._scale = torch.zeros(sum(sizes)), torch.ones(sum(sizes))
        self._usual = 0.0

    def learn(  # noqa: D102
        self, source: Transitions, target: Transitions, steps: int
    ) -> dict[str, float]:
        rows = _rows(target)
        self._mean, self._scale = rows.mean(dim=0), rows.std(dim=0).clamp_min(1e-6)
        rows = self._standardized(rows)
        for _ in range(steps):
            chosen = torch.randint(len(rows), (self._batch,), generator=self._generator)
            loss = self._mismatch(rows[chosen]).mean()
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self._optimizer.step()
        with torch.no_grad():
            self._usual = float(self._mismatch(rows).mean())
        return {"mismatch": self._usual}

    def value(self, transitions: Transitions) -> tuple[Array, NDArray[np.bool_]]:  # noqa: D102
        with torch.no_grad():
            mismatch = self._mismatch(self._standardized(_rows(transitions)))
        value = (self._usual - mismatch).double().numpy()
        return value, np.ones(len(value), bool)

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "networks": copy.deepcopy(self._networks.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
            "standard": (self._mean, self._scale, self._usual),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._networks.load_state_dict(data["networks"])
        self._optimizer.load_state_dict(data["optimizer"])
        self._generator.set_state(data["generator"])
        self._mean, self._scale, self._usual = data["standard"]

    def _mismatch(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the mean squared mismatch (n,) of standardized transitions (n, d)."""
        state, action, change = rows.split(self._sizes, dim=1)
        now = _normalized(self._encoder(torch.cat([state, torch.zeros_like(change)], dim=1)))
        after = _normalized(self._encoder(torch.cat([state, change], dim=1)))
        foreseen = self._predictor(torch.cat([now, action], dim=1))
        return (foreseen - after.detach()).square().mean(dim=1)

    def _standardized(self, rows: torch.Tensor) -> torch.Tensor:
        return ((rows - self._mean) / self._scale).clamp(-10.0, 10.0)


def _network(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ELU(),
        nn.Linear(hidden, hidden),
        nn.ELU(),
        nn.Linear(hidden, _LATENT),
    )


def _normalized(x: torch.Tensor) -> torch.Tensor:
    return x / x.abs().mean(dim=1, keepdim=True).clamp_min(1e-8)


def _rows(transitions: Transitions) -> torch.Tensor:
    parts = [transitions.state, transitions.action, transitions.change]
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))
