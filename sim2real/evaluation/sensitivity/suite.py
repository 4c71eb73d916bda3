"""A regression suite: worlds that are hard for a policy, to run others in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.evaluation.sensitivity.policy import Examined
from sim2real.parameters.distributions import Uniform
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class HardWorld:
    """One world, and what the policy that it was found for earned in it."""

    name: str
    parameters: dict[str, float]
    """Absolute, in SI units."""
    mean_return: float
    success: float
    """Share of the starts from which the task was done."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite's TOML file. What no world names stays at the robot's nominal value."""

    robot: str
    policy: str
    """Which the worlds were found for."""
    seed: int
    """Of starts, goals and noise: every policy meets the same."""
    starts: int
    """Episodes in each world."""
    required: float
    """Share of them that must succeed for a world to be passed."""
    worlds: tuple[HardWorld, ...]
    made_by: str = ""

    def __post_init__(self) -> None:
        if not self.worlds or self.starts < 1:
            raise ConfigError("a suite needs at least one world and one start")
        first = set(self.worlds[0].parameters)
        for world in self.worlds:
            if set(world.parameters) != first:
                raise ConfigError(f"world {world.name!r} names other parameters than the first")
            for name, value in world.parameters.items():
                ParameterName.parse(name)
                if not np.isfinite(value):
                    raise ConfigError(f"world {world.name!r}: {name} = {value} is not finite")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that the worlds set."""
        return tuple(self.worlds[0].parameters)

    @property
    def values(self) -> Array:
        """The worlds' parameters (n, p)."""
        return np.array([[world.parameters[name] for name in self.names] for world in self.worlds])

    @classmethod
    def load(cls, path: Path) -> "Suite":
        """Return the suite in a TOML file; raises ConfigError."""
        return config.load(cls, path)

    def save(self, path: Path) -> None:
        """Write the suite as TOML, whole or not at all."""
        config.save(self, path)


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A policy in one of a suite's worlds."""

    world: HardWorld
    mean_return: float
    success: float
    passed: bool
    change: Literal["same", "fixed", "broken"]
    """Beside the policy that the suite was made for."""


def rerun(suite: Suite, examined: Examined, *, nthread: int = 1) -> list[Rerun]:
    """Return how a policy does in the suite's worlds.

    Raises:
        ConfigError: the suite is of another robot.
        ParameterError: a world is not possible on this robot.
    """
    if suite.robot != examined.robot.name:
        raise ConfigError(
            f"the suite is of robot {suite.robot!r}, the policy drives {examined.robot.name!r}"
        )
    returns, success = run_worlds(
        examined, suite.names, suite.values, starts=suite.starts, seed=suite.seed, nthread=nthread
    )
    rows = []
    for world, total, share in zip(suite.worlds, returns, success, strict=True):
        passed, before = bool(share >= suite.required), world.success >= suite.required
        change = "same" if passed == before else "fixed" if passed else "broken"
        rows.append(
            Rerun(world=world, mean_return=float(total), success=float(share), passed=passed,
                  change=change)
        )  # fmt: skip
    return rows


def run_worlds(
    examined: Examined,
    names: tuple[str, ...],
    values: Array,
    *,
    starts: int,
    seed: int,
    nthread: int = 1,
) -> tuple[Array, Array]:
    """Return mean return and success (n,) of a policy in worlds `values` (n, p).

    Every world meets the same starts, goals and noise, whichever worlds are beside it.
    """
    env = examined.environment(_with_worlds(examined.robot, names, values), starts, nthread)
    found = [examined.evaluate(env, row[None].repeat(starts, axis=0), seed=seed) for row in values]
    return (
        np.array([each.returns.mean() for each in found]),
        np.array([each.success.mean() for each in found]),
    )


def _with_worlds(robot: Robot, names: tuple[str, ...], values: Array) -> Robot:
    """Return the robot that randomizes just these parameters: its model can hold the worlds."""
    ends = zip(names, values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True)
    return robot.with_ranges({name: Range("set", Uniform(low, high)) for name, low, high in ends})
