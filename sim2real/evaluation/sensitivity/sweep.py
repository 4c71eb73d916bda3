"""A policy in thousands of worlds, and what decides how it does."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ConfigError
from sim2real.evaluation.sensitivity import indices
from sim2real.evaluation.sensitivity.indices import Indices
from sim2real.evaluation.sensitivity.policy import Examined
from sim2real.evaluation.sensitivity.space import WorldSpace
from sim2real.parameters.distributions import Uniform
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.randomness import integer_seed
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot

Array = NDArray[np.float64]

_LEAST_ROWS, _MOST_ROWS = 16, 1024
_RARE = 0.02
"""Where fewer episodes fail, or succeed, the return says more than success."""
CURVE_BINS = 10


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What one parameter has to do with success and return."""

    name: str
    unit: str
    first: float
    """Share of the outcome's variance that it decides alone."""
    first_interval: tuple[float, float]
    total: float
    """The same together with others; the ranking is by this."""
    total_interval: tuple[float, float]
    correlation: float
    """Rank correlation with the outcome (Spearman): its sign tells the side that is harder."""
    centres: Array
    """Median value in each of equally filled bins (10,)."""
    success: Array
    """Share of successes in each (10,)."""
    low: Array
    """Of its 95 % interval (10,)."""
    high: Array


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Episodes over the whole space, on Saltelli's design: `n` rows, `p` parameters."""

    space: WorldSpace
    outcome: Literal["success", "return"]
    """What the indices are of: success, unless nearly all or nearly none succeed."""
    u: Array
    """Places in the unit cube of all episodes (m, p)."""
    values: Array
    """Their parameters (m, p)."""
    returns: Array
    """(m,)."""
    success: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    """Of which episodes the simulation diverged (m,): these are not among the hard worlds."""
    effects: tuple[Effect, ...]
    """The most telling parameter first."""
    pairs: tuple[tuple[str, str], ...]
    """The pairs of parameters that tell the most together."""


def sweep(
    examined: Examined,
    *,
    episodes: int,
    posterior: Posterior | None = None,
    seed: int = 0,
    nthread: int = 1,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Sweep:
    """Return how a policy does over its robot's ranges, and which parameters decide it.

    Args:
        examined: the policy.
        episodes: how many at most; the design has n (p + 2), n a power of two.
        posterior: swept by its marginals instead of the robot's ranges for its parameters.
        seed: of worlds, starts and noise.
        nthread: threads of the simulator.
        on_progress: told what is being done.

    Raises:
        ConfigError: the robot randomizes nothing, or there are too few episodes for its parameters.
    """
    robot = swept_robot(examined, posterior)
    p = len(WorldSpace.of(examined.environment(robot, 1, 1), posterior).names)
    n = _rows(episodes, p)
    env = examined.environment(robot, n, nthread)
    space = WorldSpace.of(env, posterior)
    a, b, ab = indices.design(n, p, integer_seed(seed, "sweep"))
    returns, (success, diverged) = np.empty((p + 2, n)), np.empty((2, p + 2, n), bool)
    for i, u in enumerate((b, a, *ab)):
        on_progress(f"sweeping: {i * n} of {(p + 2) * n} episodes")
        # the same starts and noise for A and AB: what they decide is no parameter's doing
        found = examined.evaluate(env, space.values(u), seed=integer_seed(seed, f"luck {i == 0}"))
        returns[i], success[i], diverged[i] = found.returns, found.success, found.diverged
    u = np.concatenate([b, a, *ab])
    common = _RARE <= success.mean() <= 1 - _RARE
    outcome = success.astype(float) if common else returns
    found = indices.sobol_indices(outcome[1], outcome[0], outcome[2:], seed=seed)
    effects = _effects(space, u, success.ravel(), outcome.ravel(), found)
    return Sweep(
        space=space,
        outcome="success" if common else "return",
        u=u,
        values=space.values(u),
        returns=returns.ravel(),
        success=success.ravel(),
        diverged=diverged.ravel(),
        effects=effects,
        pairs=_pairs(space, u, outcome.ravel(), effects),
    )


def swept_robot(examined: Examined, posterior: Posterior | None) -> Robot:
    """Return the robot as it is swept: a world stays what it is throughout its episode.

    With ranges that hold the posterior's parameters, too.
    """
    ranges = {
        name: replace(item, when="episode", curriculum=None)
        for name, item in examined.robot.ranges.items()
    }
    if posterior is not None:
        ends = zip(posterior.names, posterior.interval(0.9999).tolist(), strict=True)
        ranges |= {name: Range("set", Uniform(low, high)) for name, (low, high) in ends}
    return examined.robot.with_ranges(ranges)


def _rows(episodes: int, p: int) -> int:
    n = 2 ** int(math.log2(max(1, min(episodes // (p + 2), _MOST_ROWS))))
    if n < _LEAST_ROWS:
        raise ConfigError(
            f"--episodes {episodes}: {p} parameters need at least {_LEAST_ROWS * (p + 2)}"
        )
    return n


def _effects(
    space: WorldSpace, u: Array, success: Array, outcome: Array, found: Indices
) -> tuple[Effect, ...]:
    effects = []
    values = space.values(u)
    for i, name in enumerate(space.names):
        place = indices.bin_of(u[:, i], CURVE_BINS)
        count = np.bincount(place, minlength=CURVE_BINS).astype(float)
        wins = np.bincount(place, success, CURVE_BINS).astype(float)
        low, high = indices.wilson(wins, count)
        varies = np.ptp(outcome) > 0 and np.ptp(values[:, i]) > 0
        effects.append(
            Effect(
                name=name,
                unit=space.units[i],
                first=float(found.first[i]),
                first_interval=tuple(found.first_interval[i].tolist()),
                total=float(found.total[i]),
                total_interval=tuple(found.total_interval[i].tolist()),
                correlation=_rank_correlation(values[:, i], outcome) if varies else 0.0,
                centres=np.array([np.median(values[place == k, i]) for k in range(CURVE_BINS)]),
                success=wins / np.maximum(count, 1),
                low=low,
                high=high,
            )
        )
    return tuple(sorted(effects, key=lambda effect: -effect.total))


def _rank_correlation(x: Array, y: Array) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _pairs(
    space: WorldSpace, u: Array, outcome: Array, effects: tuple[Effect, ...]
) -> tuple[tuple[str, str], ...]:
    """Return up to two pairs among the six most telling parameters."""
    bins = int(np.clip(math.sqrt(len(u) / 40), 3, 8))
    scores = {}
    for one, other in itertools.combinations([effect.name for effect in effects[:6]], 2):
        i, j = space.names.index(one), space.names.index(other)
        scores[one, other] = indices.explained_by_cells(u[:, i], u[:, j], outcome, bins)
    return tuple(sorted(scores, key=lambda pair: -scores[pair])[:2])
