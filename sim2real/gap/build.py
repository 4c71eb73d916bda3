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
from sim2real.gap.method import Correction
from sim2real.gap.observer import MotionReader, Reader, StateReader
from sim2real.gap.representation import RepresentationJudge
from sim2real.gap.residual_correction import ResidualCorrection
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
) -> tuple[Correction, Reader]:
    """Return the correction of a training in `env`, and what reads its transitions.

    Raises:
        ConfigError: the target is another kind of robot.
        LogError: a log cannot be read.
    """

    def reader_of(env: RobotVectorEnv) -> Reader:
        return MotionReader(env.robot) if settings.method == "residual" else StateReader(env)

    reader = reader_of(env)
    if settings.logs:
        target = _logged(settings, env.robot, reader)
    else:
        together = max(1, min(_MOST_TARGETS, settings.target_steps // rounds))
        real_seed = randomness.integer_seed(seed, "gap.target")
        real = target_environment(settings, env.robot, together, real_seed)
        target = OnlineTarget(real, reader_of(real), settings.target_steps)
    judge_seed = randomness.integer_seed(seed, "gap.judge")
    if settings.method == "residual":
        return ResidualCorrection(settings, target, env, rounds, judge_seed), reader
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
    task = robot.task | settings.task
    return dataclasses.replace(found, task=task, correlate=()).with_ranges(fixed)


def target_environment(
    settings: GapSettings, robot: Robot, num_envs: int, seed: int
) -> RobotVectorEnv:
    """Return what is simulated in the place of the real robot."""
    robot, simulator = target_robot(settings, robot), None
    if settings.engine == "bullet":
        from sim2real.sim.bullet.simulator import BulletSimulator

        simulator = BulletSimulator(robot, num_envs)
    return RobotVectorEnv(robot, num_envs, seed=seed, simulator=simulator)


def _logged(settings: GapSettings, robot: Robot, reader: Reader) -> Target:
    if settings.recipe is None:
        name = f"joint.{next(iter(robot.joints))}.damping"
        recipe = Recipe(robot=robot.name, parameters={name: Parameter(prior={"set": [0.0, 1.0]})})
    else:
        recipe = find_recipe(settings.recipe)
    logs = [read_log(Path(path).expanduser(), recipe, robot) for path in settings.logs]
    return LoggedTarget(Transitions.join([reader.of_log(log) for log in logs]))
