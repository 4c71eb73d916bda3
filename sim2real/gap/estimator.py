"""Δr from transitions of two domains: fitted once to logs, or again while a policy learns."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from sim2real.errors import ConfigError, GapError
from sim2real.gap.calibration import temperature
from sim2real.gap.classifiers import Classifiers
from sim2real.gap.formula import SOURCE, TARGET, delta_r
from sim2real.gap.overlap import Region
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

_RIDGE = 1e-4
_FAR = 10.0
"""Standardized inputs end here: an outlier must not decide."""
_SHARED = 0.05
"""Of each domain, the least share that must lie where the other has been."""
_ENOUGH = 4096
"""Transitions by which inputs are standardized, at least, if there are as many."""
_LOOK = 50
"""Steps between looks at what is held out, if there are more."""
_FEWEST = 32
"""Transitions of a domain without which nothing can be held out, nor compared."""


@dataclass(frozen=True, kw_only=True)
class EstimatorSettings:
    """Of the two classifiers."""

    hidden: tuple[int, ...] = (64, 64)
    members: int = 1
    """Of the ensemble."""
    noise: float = 1.0
    """Added to the change while fitting, in its standard deviations: the more, the smoother Δr,
    and the smaller the gap that is lost in it. About 1 while a policy learns, 0.2 for logs."""
    blur: float | None = None
    """Added to state and command; as `noise`, if not given. Without it a change is not taken for
    what it tells of the state, but domains that hardly meet are told apart by (s, a) alone, and
    nothing is left to learn from s'."""
    surprise: bool = False
    """Whether what state and command tell of a change linearly is taken out of it, so that small
    gaps do not hide in large motion: for logs. A policy that learns would be held to what hardly
    matters: in simulations without noise nothing is too small to be found."""
    learning_rate: float = 2e-3
    batch: int = 128
    """Transitions of each domain in a step."""
    held_out: float = 0.2
    """Share of the transitions that calibrate the logits instead of fitting them."""

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1 or self.members < 1 or self.batch < 1:
            raise ConfigError("gap: hidden, members and batch must be at least 1")
        if not min(self.noise, self.blur or 0.0) >= 0.0 or not self.learning_rate > 0.0:
            raise ConfigError(
                "gap: noise, blur must not be negative, learning_rate must be above 0"
            )
        if not 0.05 <= self.held_out <= 0.5:
            raise ConfigError(f"gap: held_out = {self.held_out} must be in [0.05, 0.5]")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Δr of `n` transitions."""

    value: Array
    """Mean of the ensemble (n,) [nat]: negative where the robot would not do what is shown."""
    spread: Array
    """Standard deviation of the ensemble (n,) [nat]."""
    inside: NDArray[np.bool_]
    """Where both domains have been (n,): elsewhere `value` is extrapolated, and not to be used."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well the classifiers do on the transitions that were held out."""

    sa_accuracy: float
    """Of the classifier that sees (s, a): 0.5 if the domains were visited alike."""
    sas_accuracy: float
    scale: float
    """What the residual's logits are multiplied with: 0 if they tell nothing, at most 1."""
    shared: float
    """Share of the target's transitions that lie where the source has been."""


@final
class GapEstimator:
    """Two classifiers, the standardization of their inputs, and where they can be believed."""

    def __init__(self, sizes: tuple[int, int, int], settings: EstimatorSettings, seed: int):
        """Make an untrained estimator; `sizes` are those of a state, an action and a change."""
        nstate, naction, nchange = sizes
        self.settings, self._nsa = settings, nstate + naction
        self._generator = torch.Generator().manual_seed(seed)
        self._networks = Classifiers(
            self._nsa, nchange, settings.hidden, settings.members, self._generator
        )
        self._optimizer = torch.optim.Adam(
            self._networks.parameters(), settings.learning_rate, fused=True
        )
        size = self._nsa + nchange
        self._noise = torch.full((size,), settings.noise)
        self._noise[: self._nsa] = settings.noise if settings.blur is None else settings.blur
        self._expected = torch.zeros(self._nsa + 1, nchange)
        self._mean, self._scale = torch.zeros(size), torch.ones(size)
        self._factors = (1.0, 1.0)
        self._regions: tuple[Region, ...] = ()

    def fit(self, source: Transitions, target: Transitions, steps: int) -> Fit:
        """Take `steps` steps on batches of both domains; return how well they are told apart.

        Every call standardizes, calibrates and looks for the overlap anew.

        Raises:
            GapError: there are too few transitions, or the domains share no region.
        """
        for domain, name in ((source, "source"), (target, "target")):
            if len(domain) < _FEWEST:
                raise GapError(
                    f"{len(domain)} transitions of the {name} domain are too few to learn from: at"
                    f" least {_FEWEST} are needed, 1,000 are better"
                )
        parts = [self._parts(domain, steps) for domain in (source, target)]
        self._standardize([fitted for fitted, _ in parts])
        fitted, held_out = zip(
            *([self._standardized(rows) for rows in part] for part in parts), strict=True
        )
        shared = self._find_overlap(fitted)
        self._learn(fitted, held_out, steps)
        return self._calibrate(held_out, shared)

    def estimate(self, transitions: Transitions) -> Estimate:
        """Return Δr of transitions of either domain."""
        rows = self._standardized(_rows(transitions))
        each = self._members(rows)
        if not self._regions:
            raise GapError("the classifiers have not been fitted: call fit first")
        inside = torch.stack([region.holds(rows[:, : self._nsa]) for region in self._regions])
        return Estimate(
            value=each.mean(dim=0).double().numpy(),
            spread=each.std(dim=0, correction=0).double().numpy(),
            inside=inside.all(dim=0).numpy(),
        )

    def delta_r(self, transitions: Transitions) -> Array:
        """Return the ensemble's mean Δr (n,), also where it is extrapolated: the quick way."""
        rows = self._standardized(_rows(transitions))
        return self._members(rows).mean(dim=0).double().numpy()

    def rank(self, transitions: Transitions) -> Array:
        """Return Δr before it is calibrated (n,): a score to order transitions by, not in nats."""
        residual, _ = self._logits(self._standardized(_rows(transitions)))
        return delta_r(residual, 0.0 * residual).mean(dim=0).double().numpy()

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "networks": copy.deepcopy(self._networks.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "generator": self._generator.get_state(),
            "standard": (self._expected, self._mean, self._scale),
            "factors": self._factors,
            "regions": [(region.points, region.radius) for region in self._regions],
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._networks.load_state_dict(data["networks"])
        self._optimizer.load_state_dict(data["optimizer"])
        self._generator.set_state(data["generator"])
        self._expected, self._mean, self._scale = data["standard"]
        self._factors = data["factors"]
        self._regions = tuple(Region(*region) for region in data["regions"])

    def _parts(self, transitions: Transitions, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rows to fit and rows to hold out (m, d), in random order.

        Every nth is held out, so that a row stays what it is from call to call. There are as many
        as the steps can use: a memory of a hundred thousand need not be read for a few batches.
        """
        settings, rows = self.settings, np.arange(len(transitions))
        out = rows % round(1.0 / settings.held_out) == 0
        most = max(_ENOUGH, steps * settings.batch * settings.members)
        parts = []
        for which, limit in ((rows[~out], most), (rows[out], round(most * settings.held_out))):
            order = torch.randperm(len(which), generator=self._generator)[:limit]
            parts.append(_rows(transitions[which[order.numpy()]]))
        return parts[0], parts[1]

    def _standardize(self, domains: Sequence[torch.Tensor]) -> None:
        """Note what is expected of changes, mean and deviation; each domain counts the same."""
        if self.settings.surprise:
            self._expected = self._linear(domains[SOURCE].double()).float()
        domains = [self._surprise(rows) for rows in domains]
        means = torch.stack([rows.mean(dim=0) for rows in domains])
        squares = torch.stack([rows.square().mean(dim=0) for rows in domains])
        self._mean = means.mean(dim=0)
        variance = squares.mean(dim=0) - self._mean.square()
        self._scale = variance.clamp_min(0.0).sqrt().clamp_min(1e-6)

    def _linear(self, rows: torch.Tensor) -> torch.Tensor:
        """Return what s and a tell of a change linearly, (nsa + 1, nchange), in rows (n, d).

        Given s and a, what is left tells as much as the change: Δr is the same.
        """
        inputs = _with_one(rows[:, : self._nsa])
        gram = inputs.T @ inputs
        gram += _RIDGE * torch.diag(gram.diagonal() + 1e-9)
        return torch.linalg.solve(gram, inputs.T @ rows[:, self._nsa :])

    def _standardized(self, rows: torch.Tensor) -> torch.Tensor:
        return ((self._surprise(rows) - self._mean) / self._scale).clamp(-_FAR, _FAR)

    def _surprise(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows (n, d) in which what is expected of a change is subtracted from it."""
        if not self.settings.surprise:
            return rows
        sa, change = rows.split([self._nsa, rows.shape[1] - self._nsa], dim=1)
        return torch.cat([sa, change - _with_one(sa) @ self._expected], dim=1)

    def _find_overlap(self, domains: Sequence[torch.Tensor]) -> float:
        """Find where both domains have been; return the target's share in the source's region."""
        places = [rows[:, : self._nsa] for rows in domains]
        self._regions = tuple(Region.of(points, self._generator) for points in places)
        shares = [
            float(self._regions[other].holds(places[own][:1024]).float().mean())
            for own, other in ((SOURCE, TARGET), (TARGET, SOURCE))
        ]
        if max(shares) < _SHARED:
            raise GapError(
                f"the domains share no region: {shares[1]:.0%} of the target's transitions lie"
                f" where the source has been, {shares[0]:.0%} the other way round: there is nothing"
                " to compare; record the robot in states, and under commands, that the simulation"
                " visits, or start the simulation from the log's states"
            )
        return shares[1]

    def _learn(
        self, fitted: Sequence[torch.Tensor], held_out: Sequence[torch.Tensor], steps: int
    ) -> None:
        """Take `steps` steps; of many, keep the networks that do best on what is held out.

        What little a few transitions tell is learned in a few hundred steps, and then by heart.
        """
        best, kept = torch.inf, None
        for step in range(1, steps + 1):
            self._step(fitted)
            if steps > _LOOK and (step % _LOOK == 0 or step == steps):
                loss = self._loss(held_out)
                if loss < best:
                    best, kept = loss, copy.deepcopy(self._networks.state_dict())
        if kept is not None:
            self._networks.load_state_dict(kept)

    def _loss(self, held_out: Sequence[torch.Tensor]) -> float:
        """Return the ensemble's cross entropy on transitions (m, d) of each domain."""
        size = min(map(len, held_out))
        residual, sa = self._logits(torch.cat([rows[:size] for rows in held_out]))
        labels = torch.tensor([SOURCE, TARGET]).repeat_interleave(size)
        return float(torch.nn.functional.cross_entropy((residual + sa).mean(dim=0), labels))

    def _step(self, domains: Sequence[torch.Tensor]) -> None:
        batch, members = self.settings.batch, self._networks.members
        parts = []
        for rows in domains:
            chosen = torch.randint(len(rows), (members, batch), generator=self._generator)
            parts.append(rows[chosen])
        sas = torch.cat(parts, dim=1)
        sas += self._noise * torch.randn(sas.shape, generator=self._generator)
        residual, sa_logits = self._networks(sas[..., : self._nsa], sas)
        labels = torch.tensor([SOURCE, TARGET]).repeat_interleave(batch).expand(members, -1)
        loss = _cross_entropy(sa_logits, labels) + _cross_entropy(residual + sa_logits, labels)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()

    def _calibrate(self, held_out: Sequence[torch.Tensor], shared: float) -> Fit:
        """Scale the logits to the transitions (m, d) of each domain that were held out.

        Down only: the noise in which they were fitted makes them smaller on purpose. Without it two
        simulations that repeat themselves are infinitely unlike, and nothing else would count.
        """
        size = min(map(len, held_out))
        rows = torch.cat([rows[:size] for rows in held_out])  # as many of one as of the other
        label = np.repeat([0.0, 1.0], size)
        residual, sa = (logits.mean(dim=0) for logits in self._logits(rows))
        log_odds = [(x[:, TARGET] - x[:, SOURCE]).double().numpy() for x in (residual, sa)]
        sa_factor = min(1.0, temperature(log_odds[1], label))
        prior = sa_factor * log_odds[1]
        factor = min(1.0, temperature(log_odds[0], label, prior))
        self._factors = (factor, sa_factor)
        return Fit(
            sa_accuracy=float(((prior > 0) == label).mean()),
            sas_accuracy=float(((prior + factor * log_odds[0] > 0) == label).mean()),
            scale=factor,
            shared=shared,
        )

    def _logits(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            return self._networks(rows[:, : self._nsa], rows)

    def _members(self, rows: torch.Tensor) -> torch.Tensor:
        """Return each member's Δr (members, n)."""
        residual, sa = self._logits(rows)
        factor, sa_factor = self._factors
        return delta_r(factor * residual + sa_factor * sa, sa_factor * sa)


def _rows(transitions: Transitions) -> torch.Tensor:
    parts = [transitions.state, transitions.action, transitions.change]
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def _with_one(sa: torch.Tensor) -> torch.Tensor:
    return torch.cat([sa, torch.ones_like(sa[:, :1])], dim=1)


def _cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
