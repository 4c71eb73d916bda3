"""A job's robot, environments and algorithm."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sim2real import config, shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot
from sim2real.training.job import Job
from sim2real.training.trainer import Trainer

if TYPE_CHECKING:
    from sim2real.training.correction import RoundCorrection


def robot_of(job: Job) -> Robot:
    """Return the job's robot with the job's ranges; raises ConfigError or ParameterError."""
    robot = shipped.find_robot(job.robot)
    if job.ranges is None:
        return robot
    table = config.load(_Ranges, Path(job.ranges)).randomize
    ranges = {name: Range.parse(data, f"{job.ranges}: {name}") for name, data in table.items()}
    return robot.with_ranges(robot.ranges | ranges)


@dataclass(frozen=True, kw_only=True)
class _Ranges:
    """What an adaptive training leaves in `randomize.toml`."""

    randomize: dict[str, dict[str, Any]]


def make_trainer(job: Job, robot: Robot, posterior: Posterior | None) -> Trainer:
    """Return the job's algorithm on its environments, whose ranges stay as declared."""
    env = training_environment(job, robot, posterior)
    return trainer_of(job, env, correction_of(job, env))


def trainer_of(job: Job, env: RobotVectorEnv, correction: "RoundCorrection | None") -> Trainer:
    """Return the job's algorithm on `env`."""
    # more threads than the simulator's would fight with them for the cores
    torch.set_num_threads(1)
    seed = randomness.integer_seed(job.seed, "learning")
    if job.algorithm == "ppo":
        from sim2real.training.ppo import PPOTrainer

        return PPOTrainer(
            env, job.ppo, seed, job.nthread, worst=job.adaptive.worst, correction=correction
        )
    from sim2real.training.sac import SACTrainer

    return SACTrainer(env, job.sac, seed, correction=correction)


def correction_of(job: Job, env: RobotVectorEnv) -> "RoundCorrection | None":
    """Return the job's correction for a gap to a target, if it asks for one."""
    if job.gap.method is None:
        return None
    from sim2real.training.correction import RoundCorrection

    per_round = job.ppo.rollout_steps if job.algorithm == "ppo" else job.sac.iteration_steps
    rounds = max(1, job.budget // (per_round * env.num_envs))
    return RoundCorrection(job.gap, env, rounds=rounds, seed=job.seed)


def training_environment(job: Job, robot: Robot, posterior: Posterior | None) -> RobotVectorEnv:
    """Return the environments to learn from, at the beginning of the training."""
    env = environment_of(job, robot, posterior, job.settings.num_envs, "training")
    env.set_progress(0.0)
    return env


def environment_of(
    job: Job, robot: Robot, posterior: Posterior | None, num_envs: int, purpose: str
) -> RobotVectorEnv:
    """Return `num_envs` of the job's environments, of a seed of their own for each `purpose`."""
    return RobotVectorEnv(
        robot,
        num_envs,
        seed=randomness.integer_seed(job.seed, purpose),
        nthread=job.nthread,
        posterior=posterior,
        posterior_share=job.posterior_share,
        randomized=job.randomized,
        privileged=job.privileged,
        enveloped=job.enveloped,
    )
