"""The training loop: iterate, evaluate, keep the best policy, stop and resume at any time."""

import dataclasses
import io
import json
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sim2real import __version__, config, shipped
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.robot import Robot
from sim2real.training.adaptation import Adaptation
from sim2real.training.job import Job
from sim2real.training.policy import Policy
from sim2real.training.trainer import Trainer
from sim2real.training.worlds import WorldLog

if TYPE_CHECKING:
    from sim2real.training.correction import RoundCorrection

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
    if (folder / "checkpoint.pt").exists() != resume:
        raise ConfigError(
            f"{folder} "
            + ("holds no run to resume" if resume else "holds a run already: resume it")
        )
    if job.adaptive.algorithm == "bayrn":
        raise ConfigError("bayrn is many trainings: call sim2real.training.bayrn.search")
    robot = robot_of(job)
    posterior = None if job.posterior is None else Posterior.load(Path(job.posterior))
    run = _Run(job, robot, posterior, folder)
    if resume:
        run.load()
    elif job.start is not None:
        run.start_from(Path(job.start))
    config.save(job, folder / "job.toml")
    return run.until_done(on_progress or (lambda steps, metrics: None))


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
    env = _training_environment(job, robot, posterior)
    return _trainer(job, env, _correction(job, env))


def _trainer(job: Job, env: RobotVectorEnv, correction: "RoundCorrection | None") -> Trainer:
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


def _correction(job: Job, env: RobotVectorEnv) -> "RoundCorrection | None":
    if job.gap.method is None:
        return None
    from sim2real.training.correction import RoundCorrection

    per_round = job.ppo.rollout_steps if job.algorithm == "ppo" else job.sac.iteration_steps
    rounds = max(1, job.budget // (per_round * env.num_envs))
    return RoundCorrection(job.gap, env, rounds=rounds, seed=job.seed)


def load_policy(folder: Path) -> Policy:
    """Return the best policy of the run in `folder`; raises ConfigError if there is none."""
    path = folder / "policy.pt"
    if not path.is_file():
        raise ConfigError(f"{folder}: not a training run: it has no policy.pt; train first")
    return Policy.from_dict(_unpickled(path, weights_only=True))


def _checkpoint(folder: Path) -> dict[str, Any]:
    path = folder / "checkpoint.pt"
    if not path.is_file():
        raise ConfigError(f"{folder}: not a training run: it has no checkpoint.pt")
    return _unpickled(path, weights_only=False)


# pickle's documentation: "other exceptions may also be raised during unpickling"
_DAMAGED = (
    *(RuntimeError, pickle.UnpicklingError, EOFError, LookupError),
    *(AttributeError, ImportError, ValueError, TypeError),
)


def _unpickled(path: Path, *, weights_only: bool) -> Any:
    try:
        return torch.load(path, weights_only=weights_only)
    except _DAMAGED as error:
        raise ConfigError(
            f"{path}: damaged ({str(error).splitlines()[0] if str(error) else 'it is empty'}):"
            " restore it from a copy, or train again into another folder"
        ) from None


class _Run:
    """A run in progress."""

    def __init__(self, job: Job, robot: Robot, posterior: Posterior | None, folder: Path):
        self._job, self._folder = job, folder
        env = _training_environment(job, robot, posterior)
        self._adaptation = Adaptation.of(env, job.adaptive)
        self._correction = _correction(job, env)
        self._trainer = _trainer(job, env, self._correction)
        self._evaluation = _environment(job, robot, posterior, job.evaluation_envs, "evaluation")
        self._worlds = WorldLog(folder / "worlds", self._trainer.env) if job.log_worlds else None
        self._iteration = 0
        self._best: dict[str, float] = {}

    def until_done(self, on_progress: Progress) -> Result:
        with _Interrupt() as interrupt, _Log(self._folder) as log:
            while self._trainer.steps < self._job.budget and not interrupt.asked:
                self._trainer.env.set_progress(self._trainer.steps / self._job.budget)
                metrics = self._trainer.iterate()
                metrics["diverged"] = self._trainer.env.diverged
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
        self._trainer.start_from(_checkpoint(folder)["trainer"])

    def load(self) -> None:
        data = _checkpoint(self._folder)
        saved = config.to_dict(data["job"]) | {"steps": 0}
        if saved != config.to_dict(self._job) | {"steps": 0}:
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
        if not self._best or summary["return"] > self._best["return"]:
            self._best = summary
            _save_torch(policy.to_dict(), self._folder / "policy.pt")
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
        _save_torch(data, self._folder / "checkpoint.pt")
        if self._adaptation is not None:
            self._adaptation.save(self._folder)
        if self._correction is not None:
            text = json.dumps(self._correction.report(), indent=2) + "\n"
            config.write_atomically(self._folder / GAP, text.encode())


class _Interrupt:
    """Turns the first Ctrl-C into a request; a second one stops at once."""

    def __enter__(self) -> "_Interrupt":
        self.asked = False
        try:
            self._before: Any = signal.signal(signal.SIGINT, self._handle)
        except ValueError:  # not in the main thread: nothing to handle
            self._before = None
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


class _Log:
    """TensorBoard events and one JSON line an iteration."""

    def __init__(self, folder: Path):
        self._folder = folder

    def __enter__(self) -> "_Log":
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(self._folder / "tensorboard"))
        self._lines = (self._folder / "progress.jsonl").open("a")
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.close()
        self._lines.close()

    def add(self, steps: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, steps)
        finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
        self._lines.write(json.dumps({"steps": steps, **finite}) + "\n")
        self._lines.flush()


def _training_environment(job: Job, robot: Robot, posterior: Posterior | None) -> RobotVectorEnv:
    env = _environment(job, robot, posterior, job.settings.num_envs, "training")
    env.set_progress(0.0)
    return env


def _environment(
    job: Job, robot: Robot, posterior: Posterior | None, num_envs: int, purpose: str
) -> RobotVectorEnv:
    return RobotVectorEnv(
        robot,
        num_envs,
        seed=randomness.integer_seed(job.seed, purpose),
        nthread=job.nthread,
        posterior=posterior,
        posterior_share=job.posterior_share,
        randomized=job.randomized,
        privileged=job.privileged,
    )


def _save_torch(data: Any, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(data, buffer)
    config.write_atomically(path, buffer.getvalue())
