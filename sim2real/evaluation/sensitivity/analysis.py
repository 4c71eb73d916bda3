"""A policy in, its weak spots out: sweep, search and suite as one call."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real import __version__
from sim2real.envs.rollout import Evaluation
from sim2real.errors import ConfigError
from sim2real.evaluation.sensitivity.policy import Examined
from sim2real.evaluation.sensitivity.search import worst_world
from sim2real.evaluation.sensitivity.suite import HardWorld, Suite, run_worlds
from sim2real.evaluation.sensitivity.sweep import Sweep, sweep, swept_robot
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.randomness import integer_seed

Array = NDArray[np.float64]

_POPULATION, _STARTS = 32, 4
"""Of the search: worlds in a generation, and episodes in each."""
_FAILED, _BORDERLINE = 6, 4
"""Worlds of the sweep in a suite."""
REQUIRED = 0.5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How thoroughly to look."""

    episodes: int = 4096
    """Of the sweep, at most."""
    generations: int = 20
    """Of the search for the worst world, 128 episodes each."""
    starts: int = 16
    """Episodes in each world of the suite."""
    seed: int = 0
    nthread: int = 1

    def __post_init__(self) -> None:
        for name in ("episodes", "generations", "starts", "nthread"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """All that a sensitivity report shows."""

    examined: Examined
    sweep: Sweep
    suite: Suite
    """Its first world is the worst one, its second the nominal one."""
    episodes: int
    """Simulated in all."""

    @property
    def worst(self) -> HardWorld:
        """The worst world that was found."""
        return self.suite.worlds[0]

    def facts(self) -> dict[str, Any]:
        """Return the numbers, for a script."""
        found = self.sweep
        return {
            "policy": self.examined.name,
            "robot": self.examined.robot.name,
            "episodes": self.episodes,
            "success": float(found.success.mean()),
            "diverged": int(found.diverged.sum()),
            "return": float(found.returns.mean()),
            "worst_tenth": float(np.quantile(found.returns, 0.1)),
            "indices_of": found.outcome,
            "effects": [dataclasses.asdict(effect) for effect in found.effects],
            "pairs": found.pairs,
            "worst_world": dataclasses.asdict(self.worst),
            "worlds": [dataclasses.asdict(world) for world in self.suite.worlds],
        }


def analyse(
    examined: Examined,
    settings: Settings,
    posterior: Posterior | None = None,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Analysis:
    """Return where a policy fails over its robot's ranges; raises ConfigError."""
    seed, nthread = settings.seed, settings.nthread
    found = sweep(
        examined, episodes=settings.episodes, posterior=posterior, seed=seed, nthread=nthread,
        on_progress=on_progress)  # fmt: skip
    worst = _search(examined, found, settings, posterior, on_progress)
    on_progress("running the hard worlds again, from other starts")
    names, places = _hard(found)
    values = np.concatenate([found.space.values(worst[None]), found.space.nominal[None],
                             found.space.values(places)])  # fmt: skip
    again = integer_seed(seed, "suite")
    returns, success = run_worlds(
        examined, found.space.names, values,
        starts=settings.starts, seed=again, nthread=nthread)  # fmt: skip
    order = _worst_first(returns)
    labels = np.array(["searched", "nominal", *names])
    rows = zip(labels[order], values[order], returns[order], success[order], strict=True)
    worlds = tuple(
        HardWorld(
            name=str(label) if place else f"worst: {label}",
            parameters=dict(zip(found.space.names, row.tolist(), strict=True)),
            mean_return=float(total),
            success=float(share),
        )
        for place, (label, row, total, share) in enumerate(rows)
    )
    suite = Suite(
        robot=examined.robot.name, policy=examined.name, seed=again, starts=settings.starts,
        required=REQUIRED, worlds=worlds, made_by=f"sim2real {__version__}")  # fmt: skip
    episodes = (
        len(found.returns)
        + settings.generations * _POPULATION * _STARTS
        + len(values) * settings.starts
    )
    return Analysis(examined=examined, sweep=found, suite=suite, episodes=episodes)


def _search(
    examined: Examined,
    found: Sweep,
    settings: Settings,
    posterior: Posterior | None,
    on_progress: Callable[[str], None],
) -> Array:
    """Return the place of the worst world in the unit cube (p,)."""
    robot = swept_robot(examined, posterior)
    env = examined.environment(robot, _POPULATION * _STARTS, settings.nthread)

    def score(points: Array, generation: int) -> Array:
        on_progress(f"searching the worst world: {generation} of {settings.generations}")
        worlds = np.repeat(found.space.values(points), _STARTS, axis=0)
        luck = integer_seed(settings.seed, f"search {generation}")
        result = examined.evaluate(env, worlds, seed=luck)
        return mean_of_the_sound(result)

    return worst_world(
        score,
        _promising(found),
        population=_POPULATION,
        generations=settings.generations,
        seed=settings.seed,
    )


def mean_of_the_sound(result: Evaluation) -> Array:
    """Return each world's mean return (population,) over the starts that did not diverge.

    A world in which all did is as good as the best: a search must not run after blow-ups.
    """
    shape = _POPULATION, _STARTS
    returns, sound = result.returns.reshape(shape), ~result.diverged.reshape(shape)
    total = np.where(sound, returns, 0.0).sum(axis=1)
    return np.where(sound.any(axis=1), total / np.maximum(sound.sum(axis=1), 1), returns.max())


def _promising(found: Sweep) -> Array:
    """Return the mean place of the sweep's worst hundredth: less luck than the worst alone."""
    count = max(4, len(found.returns) // 100)
    return found.u[_from_the_lowest(found)[:count]].mean(axis=0)


def _from_the_lowest(found: Sweep) -> NDArray[np.int64]:
    """Return the sweep's episodes from the lowest return on, without those that diverged."""
    order = np.argsort(found.returns)
    return order[~found.diverged[order]]


def _hard(found: Sweep) -> tuple[list[str], Array]:
    """Return names and places (n, p) of worlds that failed, and of the hardest that did not."""
    order = _from_the_lowest(found)
    failed = order[~found.success[order]][: max(40, len(order) // 20)]
    passed = order[found.success[order]][: max(20, len(order) // 40)]
    chosen = {
        "failed": _spread_out(found.u[failed], _FAILED),
        "borderline": _spread_out(found.u[passed], _BORDERLINE),
    }
    names = [f"{kind} {i + 1}" for kind, places in chosen.items() for i in range(len(places))]
    return names, np.concatenate(list(chosen.values()))


def _spread_out(places: Array, count: int) -> Array:
    """Return up to `count` of the places (n, p), far from each other; the first one first."""
    if not len(places):
        return places
    chosen = [0]
    distance = np.linalg.norm(places - places[0], axis=1)
    while len(chosen) < min(count, len(places)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return places[chosen]


def _worst_first(returns: Array) -> NDArray[np.int64]:
    """Return the order with the lowest return first, then the nominal world, then the others."""
    worst = int(np.argmin(returns))
    rest = [i for i in np.argsort(returns).tolist() if i not in (worst, 1)]
    return np.array([worst, *([1] if worst != 1 else []), *rest])
