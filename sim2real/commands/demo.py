"""`sim2real demo`: do all of it on a pendulum."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real.commands.console import Maybe, options
from sim2real.demo import Demo as Plan
from sim2real.demo import run
from sim2real.errors import ConfigError, MissingExtraError


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Train, export, deploy, calibrate, train again, deploy again: the whole loop in six minutes.

    The robot is a virtual one in another process, on another physics engine, with parameters that
    are hidden from everything else.
    """

    logs: Maybe[Path] = None
    """Calibrate from this folder of real logs instead of the virtual robot's."""
    recipe: Maybe[str] = None
    """The recipe that reads them; `pendulum_dfki` with --logs, else `pendulum`."""
    output: Maybe[Path] = None
    """Where results go; runs/demo if not given."""
    seed: int = 0
    """Of the training; and of the virtual robot's hidden parameters."""
    steps: int = 2_000_000
    """Control steps of each training."""
    episodes: int = 3
    """On the robot, for each policy."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Demo, arguments)
    recipe = chosen.recipe or ("pendulum_dfki" if chosen.logs else "pendulum")
    _check(chosen, recipe)
    run(
        Plan(
            folder=chosen.output or Path("runs") / "demo",
            logs=chosen.logs,
            recipe=recipe,
            seed=chosen.seed,
            steps=chosen.steps,
            episodes=chosen.episodes,
        )
    )


def _check(chosen: Demo, recipe: str) -> None:
    """Refuse now what would only fail after minutes."""
    for package in ("torch", "mujoco", "pybullet", "matplotlib"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "all")
    if chosen.steps < 1 or chosen.episodes < 1:
        raise ConfigError("steps and episodes must be at least 1")
    if chosen.logs is not None and not chosen.logs.is_dir():
        raise ConfigError(f"--logs {chosen.logs}: no such folder: give one that holds the logs")
    from sim2real.calibration.recipe import find_recipe

    read = find_recipe(recipe)
    if chosen.logs is not None:
        read.fit_files(chosen.logs)
