"""Domain randomization via entropy maximization: as wide as the policy still succeeds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from sim2real.errors import ConfigError
from sim2real.parameters.distributions import Beta
from sim2real.parameters.ranges import Range
from sim2real.randomization.adaptive import beta
from sim2real.randomization.adaptive.algorithm import Adaptive, Array, Source, Success
from sim2real.randomization.adaptive.box import Box

_INSIDE = 1e-9
"""Values are kept this far from the ends of [0, 1], where densities are 0."""
_SHAPES = (1.0, 1000.0)
"""Below 1 a beta distribution piles up at its ends."""
_TOLERANCE = 1e-6

Measure = Callable[[Array], tuple[float, Array]]
"""Logarithms of the shapes (2p,) → a number and its gradient (2p,)."""


@dataclass(frozen=True, kw_only=True)
class DORAEMONSettings:
    """Domain randomization via entropy maximization."""

    success_rate: float = 0.5
    """The distribution widens as long as this share of the episodes succeeds."""
    return_threshold: float | None = None
    """An episode succeeds if its return reaches this; by default, if the task says so."""
    kl: float = 0.1
    """How far the distribution may move in an update [nat], over all parameters together."""
    episodes: int = 256
    """How many episodes decide about an update, at least."""
    start: float = 20.0
    """Sum of both shapes to begin with: the larger, the narrower around the nominal value."""

    def __post_init__(self) -> None:
        if not 0 < self.success_rate < 1:
            raise ConfigError(f"doraemon: success_rate {self.success_rate} must lie in (0, 1)")
        if not 0 < self.kl < math.inf:
            raise ConfigError(f"doraemon: kl {self.kl} must be above 0, and finite")
        if self.episodes < 1:
            raise ConfigError(f"doraemon: episodes {self.episodes} must be at least 1")
        if not 2 <= self.start <= _SHAPES[1]:
            raise ConfigError(f"doraemon: start {self.start} must lie in [2, {_SHAPES[1]:g}]")


@final
class DORAEMON(Adaptive):
    """DORAEMON (Tiboni et al., ICLR 2024, arXiv:2311.01885, section 4 and Algorithm 1).

    Each parameter has a beta distribution on its declared range. An update maximizes the entropy,
    with the success rate, estimated from the episodes by importance weights, above a threshold and
    the divergence from the present distribution below one. If the present success rate is below the
    threshold, the success rate is maximized first, under the same divergence.
    """

    def __init__(self, box: Box, settings: DORAEMONSettings):
        self.names, self._box, self._settings = box.names, box, settings
        center = (box.nominal - box.low) / box.width
        free = settings.start - 2.0  # both shapes at least 1: the mode is the nominal value
        self._shapes = 1.0 + free * np.stack([center, 1.0 - center])
        self._episodes: list[tuple[Array, Success]] = []
        self._success_rate = np.nan
        self._source = self._make_source()

    @property
    def source(self) -> Source:  # noqa: D102
        return self._source

    @property
    def shapes(self) -> Array:
        """The shapes alpha and beta of each parameter (2, p)."""
        return self._shapes.copy()

    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Take in episodes, and return the next source once there are enough."""
        threshold = self._settings.return_threshold
        done = success if threshold is None else returns >= threshold
        unit = (values - self._box.low) / self._box.width
        self._episodes.append((np.clip(unit, _INSIDE, 1 - _INSIDE), done))
        if sum(len(rows) for rows, _ in self._episodes) >= self._settings.episodes:
            x = np.concatenate([rows for rows, _ in self._episodes])
            succeeded = np.concatenate([each for _, each in self._episodes])
            self._episodes, self._success_rate = [], float(succeeded.mean())
            self._shapes = next_shapes(
                self._shapes, x, succeeded, alpha=self._settings.success_rate, kl=self._settings.kl
            )
            self._source = self._make_source()
        return self._source

    def metrics(self) -> dict[str, float]:
        """Return the success rate of the last update, and the mean entropy of the parameters.

        Entropies are relative to the declared ranges: 0 if all are uniform on them.
        """
        entropy, _ = beta.entropy(*self._shapes)
        known = {} if np.isnan(self._success_rate) else {"success_rate": self._success_rate}
        return {"entropy": entropy / len(self.names)} | known

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "shapes": self._shapes.copy(),
            "episodes": list(self._episodes),
            "success_rate": self._success_rate,
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._shapes = data["shapes"].copy()
        self._episodes = list(data["episodes"])
        self._success_rate = data["success_rate"]
        self._source = self._make_source()

    def _make_source(self) -> Source:
        rows = zip(*self._shapes, self._box.low, self._box.high, strict=True)
        laws = [Range("set", Beta(*map(float, row))) for row in rows]
        return Source(ranges=dict(zip(self.names, laws, strict=True)))


def next_shapes(shapes: Array, x: Array, success: Success, *, alpha: float, kl: float) -> Array:
    """Return the shapes (2, p) after one update.

    Args:
        shapes: alpha and beta of the distribution that `x` was drawn from (2, p).
        x: the worlds (n, p), in (0, 1).
        success: which of them succeeded (n,).
        alpha: the least success rate.
        kl: the largest divergence from `shapes` [nat].
    """
    rate, distance, entropy = _measures(shapes, x, success)
    present = np.log(shapes).ravel()
    near = (_slack(distance, kl, sign=-1),)
    best = present
    if rate(present)[0] < alpha:
        best = _maximize(rate, present, near)
        if rate(best)[0] < alpha:
            return np.exp(best).reshape(shapes.shape)
    wide = _maximize(entropy, best, (*near, _slack(rate, alpha, sign=1)))
    return np.exp(wide).reshape(shapes.shape)


def _measures(shapes: Array, x: Array, success: Success) -> tuple[Measure, Measure, Measure]:
    """Return success rate, divergence from `shapes` and entropy as functions of log shapes."""
    drawn, _ = beta.log_density(x, *shapes)

    def in_logarithms(measure: Measure) -> Measure:
        def of(logs: Array) -> tuple[float, Array]:
            value, slope = measure(np.exp(logs))
            return value, slope * np.exp(logs)

        return of

    def rate(flat: Array) -> tuple[float, Array]:
        density, slope = beta.log_density(x, *np.split(flat, 2))
        weighted = np.exp(density - drawn) * success  # importance weights of the successes
        return float(weighted.mean()), weighted @ slope / len(x)

    return (
        in_logarithms(rate),
        in_logarithms(lambda flat: beta.divergence(*np.split(flat, 2), *shapes)),
        in_logarithms(lambda flat: beta.entropy(*np.split(flat, 2))),
    )


def _slack(measure: Measure, limit: float, *, sign: int) -> Measure:
    """Return a function that is at least 0 where the measure is within its limit."""

    def slack(logs: Array) -> tuple[float, Array]:
        value, slope = measure(logs)
        return sign * (value - limit), sign * slope

    return slack


def _maximize(measure: Measure, begin: Array, slacks: tuple[Measure, ...]) -> Array:
    """Return log shapes that raise `measure` as far as the slacks stay at least 0.

    `begin` satisfies them. If the solver ends outside, its step is shortened until it does not.
    """
    from scipy.optimize import minimize

    found = minimize(
        lambda logs: _times(measure(logs), -1.0),
        begin,
        jac=True,
        method="SLSQP",
        bounds=[tuple(np.log(_SHAPES))] * len(begin),
        constraints=[
            {"type": "ineq", "fun": lambda v, s=s: s(v)[0], "jac": lambda v, s=s: s(v)[1]}
            for s in slacks
        ],
        options={"maxiter": 200, "ftol": 1e-9},
    ).x
    for _ in range(30):
        if all(slack(found)[0] >= -_TOLERANCE for slack in slacks):
            return found if measure(found)[0] >= measure(begin)[0] else begin
        found = begin + 0.7 * (found - begin)
    return begin


def _times(pair: tuple[float, Array], factor: float) -> tuple[float, Array]:
    return factor * pair[0], factor * pair[1]
