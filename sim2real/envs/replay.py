"""One episode in one world again, alone: the one that failed, or the one to look at."""

from collections.abc import Mapping
from typing import Any

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters.distributions import Uniform
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot


def replay(
    robot: Robot,
    *,
    seed: int,
    environment: int,
    episode: int,
    progress: float = 1.0,
    moved: Mapping[str, float] | None = None,
    **options: Any,
) -> RobotVectorEnv:
    """Return a single environment whose `reset()` starts that episode of a larger one.

    Under the same actions it gives the same observations, rewards and states, bit for bit: start,
    goal, dynamics, delays and noise are functions of the key. Rows of a run's `worlds` folder are
    such keys. A policy's network may round differently for one observation than for many: where
    that matters, play the actions that were taken.

    Args:
        robot: the robot.
        seed: the larger environment's.
        environment: its number there.
        episode: which of its episodes.
        progress: share of the training at the start of that episode, if ranges have curricula.
        moved: what the parameters whose ranges moved (adaptive randomization) were in that episode,
            as the row has them: these are no functions of the key alone.
        options: those of the larger environment that change its worlds: posterior,
            posterior_share, randomized; also privileged and nthread.
    """
    env = RobotVectorEnv(robot, 1, seed=seed, environments=[environment], **options)
    env.set_progress(progress)
    if moved:
        env.randomize({name: Range("set", Uniform(x, x)) for name, x in moved.items()})
    env.episode[:] = episode - 1
    return env
