"""BayRn: Bayesian optimization of the ranges against what the trained policy earns on a target."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from sim2real.errors import ConfigError, MissingExtraError
from sim2real.randomization.adaptive.algorithm import Adaptive, Array, Source, Success
from sim2real.randomization.adaptive.box import Box


@dataclass(frozen=True, kw_only=True)
class BayRnSettings:
    """Bayesian domain randomization."""

    target: str | None = None
    """Of a launch file: the robot, a shipped one or a folder, on which policies are tried."""
    rounds: int = 15
    """How many ranges to try: each is a whole training."""
    initial: int = 5
    """Evaluations at evenly spread ranges, before the model is asked."""
    narrowest: float = 0.05
    """Least width of a range, as a share of the declared one."""
    improvement: float = 0.01
    """By how much a proposal should improve, in standard deviations of the returns so far."""
    noise: float = 0.1
    """Error of a return on the target, in the same unit."""

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigError(f"bayrn: rounds {self.rounds} must be at least 1")
        if self.initial < 2:
            raise ConfigError(f"bayrn: initial {self.initial} must be at least 2")
        if not 0 < self.narrowest <= 1:
            raise ConfigError(f"bayrn: narrowest {self.narrowest} must lie in (0, 1]")
        if not self.noise > 0:
            raise ConfigError(f"bayrn: noise {self.noise} must be above 0")
        if self.improvement < 0:
            raise ConfigError(f"bayrn: improvement {self.improvement} must not be negative")


@final
class BayRn(Adaptive):
    """BayRn (Muratore et al. 2021, arXiv:2003.02471, Algorithm 1), by `bayesian-optimization`.

    An observation is what the policy trained under `source` earned on the target. Each parameter
    is uniform on a range inside the declared one, told by where it starts and how much of the rest
    it takes; a Gaussian process of the target's return proposes the next, by expected improvement.
    A proposal is a function of the seed and of what was observed, so that a search can be resumed.
    """

    def __init__(self, box: Box, settings: BayRnSettings, *, seed: int = 0):
        self.names, self._box, self._settings, self._seed = box.names, box, settings, seed
        self._tried = np.empty((0, 2 * len(box.names)))
        self._returns = np.empty(0)
        self._next = self._propose()

    @property
    def source(self) -> Source:  # noqa: D102
        return self._source_of(self._next)

    @property
    def rounds(self) -> int:
        """How many observations there were."""
        return len(self._returns)

    @property
    def best_round(self) -> int:
        """The number of the round, from 0, whose policy earned most on the target."""
        return int(self._returns.argmax())

    @property
    def best(self) -> Source:
        """The source whose policy earned most on the target."""
        return self._source_of(self._tried[self.best_round]) if self.rounds else self.source

    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Take in what the policy trained under the source earned, and return the next source.

        Args:
            values: not used.
            returns: of that policy's episodes on the target (n,).
            success: not used.
        """
        self._tried = np.vstack([self._tried, self._next])
        self._returns = np.append(self._returns, returns.mean())
        self._next = self._propose()
        return self.source

    def metrics(self) -> dict[str, float]:
        """Return the best return on the target so far."""
        return {"best_return": float(self._returns.max())} if len(self._returns) else {}

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"tried": self._tried.copy(), "returns": self._returns.copy()}

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._tried, self._returns = data["tried"].copy(), data["returns"].copy()
        self._next = self._propose()

    def _source_of(self, unit: Array) -> Source:
        start, length = np.split(unit, 2)
        narrowest = self._settings.narrowest
        low = start * (1.0 - narrowest)
        high = low + narrowest + length * (1.0 - narrowest - low)
        return Source(ranges=self._box.between(self._box.values(low), self._box.values(high)))

    def _propose(self) -> Array:
        """Return the next start and length of each range, in [0, 1] (2p,)."""
        if len(self._returns) < self._settings.initial:
            from scipy.stats import qmc

            points = qmc.Sobol(2 * len(self.names), rng=self._seed).random_base2(
                (self._settings.initial - 1).bit_length()
            )
            return points[len(self._returns)]
        return self._ask_the_model()

    def _ask_the_model(self) -> Array:
        try:
            from bayes_opt import BayesianOptimization
            from bayes_opt.acquisition import ExpectedImprovement
        except ModuleNotFoundError:
            raise MissingExtraError("bayesian-optimization", "adaptive") from None
        keys = [f"x{i:03}" for i in range(2 * len(self.names))]
        model = BayesianOptimization(
            f=None,
            pbounds=dict.fromkeys(keys, (0.0, 1.0)),
            acquisition_function=ExpectedImprovement(xi=self._settings.improvement),
            random_state=self._seed + len(self._returns),
            allow_duplicate_points=True,
            verbose=0,
        )
        model.set_gp_params(alpha=self._settings.noise**2)
        spread = self._returns.std() or 1.0
        for point, value in zip(
            self._tried, (self._returns - self._returns.mean()) / spread, strict=True
        ):
            model.register(params=point, target=float(value))
        suggested = model.suggest()
        return np.array([suggested[key] for key in keys])
