"""A training's correction, from its `[gap]` table."""

import dataclasses
from pathlib import Path

import numpy as np

from sim2real import shipped
from sim2real.calibration.logs import read_log
from sim2real.calibration.recipe import Parameter, Recipe, find_recipe
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.gap.correction import GapCorrection
from sim2real.gap.judge import DomainJudge, Judge
from sim2real.gap.observer import StateReader
from sim2real.gap.representation import RepresentationJudge
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import LoggedTarget, OnlineTarget, Target
from sim2real.gap.transitions import Transitions
from sim2real.parameters import randomness
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot

_MOST_TARGETS = 8
"""Simulations that stand for the real robot together: one alone is slow."""


def make_correction(
    settings: GapSettings, env: RobotVectorEnv, *, rounds: int, seed: int
) -> tuple[GapCorrection, StateReader]:
    """Return the correction of a training in `env`, and what reads its transitions.

    Raises:
        ConfigError: the target is another kind of robot.
        LogError: a log cannot be read.
    """
    reader = StateReader(env)
    if settings.logs:
        target = _logged(settings, env.robot, reader)
    else:
        target = _online(settings, env, rounds, seed)
    judge_seed = randomness.integer_seed(seed, "gap.judge")
    judge: Judge
    if settings.method == "par":
        judge = RepresentationJudge(reader.sizes, settings.estimator, judge_seed)
    else:
        judge = DomainJudge(reader.sizes, settings.estimator, judge_seed)
    rng = np.random.default_rng(randomness.integer_seed(seed, "gap.memory"))
    return GapCorrection(settings, target, judge, rounds=rounds, rng=rng), reader


def target_robot(settings: GapSettings, robot: Robot) -> Robot:
    """Return the robot that stands for the real one: one world, with what is `changed`."""
    found = robot if settings.target is None else shipped.find_robot(settings.target)
    if not found.drives_like(robot):
        raise ConfigError(
            f"gap: the target {found.name!r} has other joints or another rate than"
            f" {robot.name!r}: give a folder with the same robot"
        )
    fixed = {
        name: Range.parse({"set": {"categorical": [value]}}, name)
        for name, value in settings.changed.items()
    }
    return dataclasses.replace(found, task=robot.task, correlate=()).with_ranges(fixed)


def _online(settings: GapSettings, env: RobotVectorEnv, rounds: int, seed: int) -> Target:
    robot = target_robot(settings, env.robot)
    together = max(1, min(_MOST_TARGETS, settings.target_steps // rounds))
    real = RobotVectorEnv(robot, together, seed=randomness.integer_seed(seed, "gap.target"))
    return OnlineTarget(real, StateReader(real), settings.target_steps)


def _logged(settings: GapSettings, robot: Robot, reader: StateReader) -> Target:
    if settings.recipe is None:
        name = f"joint.{next(iter(robot.joints))}.damping"
        recipe = Recipe(robot=robot.name, parameters={name: Parameter(prior={"set": [0.0, 1.0]})})
    else:
        recipe = find_recipe(settings.recipe)
    logs = [read_log(Path(path).expanduser(), recipe, robot) for path in settings.logs]
    return LoggedTarget(Transitions.join([reader.of_log(log) for log in logs]))
