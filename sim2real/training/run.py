"""The training loop: iterate, evaluate, keep the best policy, stop and resume at any time."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sim2real import __version__, config
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.training import build, saved
from sim2real.training.adaptation import Adaptation
from sim2real.training.interrupt import Interrupt
from sim2real.training.job import Job
from sim2real.training.progress_log import ProgressLog
from sim2real.training.worlds import WorldLog

Progress = Callable[[int, dict[str, float]], None]
"""Called after every iteration with the steps so far and what was logged."""

GAP = "gap.json"
"""In a run's folder: what was done about the gap to a target, and what is to be said about it."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training run ended with."""

    folder: Path
    finished: bool
    """False if it was interrupted: run it again with resume to go on."""
    steps: int
    evaluation: dict[str, float]
    """Of the best policy: mean return, worst tenth, success rate."""
    diverged: int
    """How many episodes of the training ended because their simulation diverged."""
    warnings: tuple[str, ...] = ()
    """What is wrong about the correction for a gap, in words."""


def train(
    job: Job, folder: Path, *, resume: bool = False, on_progress: Progress | None = None
) -> Result:
    """Train until `job.budget` steps; Ctrl-C stops after the iteration at hand.

    The folder then holds `job.toml`, `policy.pt` (the best on evaluation), `checkpoint.pt`,
    `progress.jsonl`, TensorBoard events, in `worlds/` every episode's drawn parameters and, if the
    randomization adapts, `randomize.toml` with the ranges that it came to.

    Args:
        job: what to train.
        folder: where results go.
        resume: continue the run in `folder`, exactly as if it had not stopped.
        on_progress: called after every iteration.

    Raises:
        ConfigError: the folder holds a run already, or none to resume.
    """
    if (folder / saved.CHECKPOINT).exists() != resume:
        raise ConfigError(
            f"{folder} "
            + ("holds no run to resume" if resume else "holds a run already: resume it")
        )
    if job.adaptive.algorithm == "bayrn":
        raise ConfigError("bayrn is many trainings: call sim2real.training.bayrn.search")
    robot = build.robot_of(job)
    posterior = None if job.posterior is None else Posterior.load(Path(job.posterior))
    run = _Run(job, robot, posterior, folder)
    if resume:
        run.load()
    elif job.start is not None:
        run.start_from(Path(job.start))
    config.save(job, folder / "job.toml")
    return run.until_done(on_progress or (lambda steps, metrics: None))


class _Run:
    """A run in progress."""

    def __init__(self, job: Job, robot: Robot, posterior: Posterior | None, folder: Path):
        self._job, self._folder = job, folder
        env = build.training_environment(job, robot, posterior)
        self._adaptation = Adaptation.of(env, job.adaptive)
        self._correction = build.correction_of(job, env)
        self._trainer = build.trainer_of(job, env, self._correction)
        self._evaluation = build.environment_of(
            job, robot, posterior, job.evaluation_envs, "evaluation"
        )
        self._worlds = WorldLog(folder / "worlds", self._trainer.env) if job.log_worlds else None
        self._iteration = 0
        self._best: dict[str, float] = {}

    def until_done(self, on_progress: Progress) -> Result:
        with Interrupt() as interrupt, ProgressLog(self._folder) as log:
            while self._trainer.steps < self._job.budget and not interrupt.asked:
                self._trainer.env.set_progress(self._trainer.steps / self._job.budget)
                metrics = self._trainer.iterate()
                metrics["diverged"] = self._trainer.env.diverged
                metrics |= _of_envelope(self._trainer.env)
                if self._adaptation is not None:
                    metrics |= self._adaptation.metrics()
                self._iteration += 1
                done = self._trainer.steps >= self._job.budget
                if done or self._iteration % self._job.evaluate_every == 0:
                    metrics |= self._evaluate()
                log.add(self._trainer.steps, metrics)
                on_progress(self._trainer.steps, metrics)
            if interrupt.asked or not self._best:
                self._evaluate()
            self._save()
        finished = self._trainer.steps >= self._job.budget
        return Result(
            folder=self._folder,
            finished=finished,
            steps=self._trainer.steps,
            evaluation=self._best,
            diverged=self._trainer.env.diverged,
            warnings=() if self._correction is None else tuple(self._correction.warnings()),
        )

    def start_from(self, folder: Path) -> None:
        data = saved.load_checkpoint(folder)["trainer"]
        self._trainer.start_from(data, explore_anew=self._job.explore_anew)

    def load(self) -> None:
        data = saved.load_checkpoint(self._folder)
        begun = config.to_dict(data["job"]) | {"steps": 0}
        if begun != config.to_dict(self._job) | {"steps": 0}:
            raise ConfigError(
                f"{self._folder}: another job than the one given: only steps may differ"
            )
        if self._adaptation is not None:
            self._adaptation.load_state_dict(data["adaptation"])
        self._trainer.load_state_dict(data["trainer"])
        self._iteration, self._best = data["iteration"], data["best"]
        if self._worlds is not None:
            self._worlds.go_on_after(data["worlds"])

    def _evaluate(self) -> dict[str, float]:
        with torch.random.fork_rng(devices=[]):  # looking at a policy must not change the training
            policy = self._trainer.policy()
        summary = evaluate(self._evaluation, policy.act, seed=self._evaluation.seed).summary()
        # with a correction the source is not what counts: the newest policy is kept
        newest = self._correction is not None or not self._best
        if newest or summary["return"] > self._best["return"]:
            self._best = summary
            saved.save(policy.to_dict(), self._folder / saved.POLICY)
        self._save()
        return {f"evaluation/{name}": value for name, value in summary.items()}

    def _save(self) -> None:
        if self._worlds is not None:
            self._worlds.flush()
        data = {
            "job": dataclasses.asdict(self._job),
            "trainer": self._trainer.state_dict(),
            "adaptation": None if self._adaptation is None else self._adaptation.state_dict(),
            "iteration": self._iteration,
            "best": self._best,
            "worlds": 0 if self._worlds is None else self._worlds.parts,
            "version": __version__,
        }
        saved.save(data, self._folder / saved.CHECKPOINT)
        if self._adaptation is not None:
            self._adaptation.save(self._folder)
        if self._correction is not None:
            text = json.dumps(self._correction.report(), indent=2) + "\n"
            config.write_atomically(self._folder / GAP, text.encode())


def _of_envelope(env: RobotVectorEnv) -> dict[str, float]:
    """Return how often the envelope stepped in since it was asked last, if there is one."""
    if env.guard is None:
        return {}
    told = {"intervention": env.guard.intervention, "trips": float(env.guard.trips)}
    env.guard.restart()
    return told
