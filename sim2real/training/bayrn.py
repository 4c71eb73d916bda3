"""A search of ranges: train under each, try the policy on a target, propose the next (BayRn)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real import config, shipped
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.parameters import randomness
from sim2real.randomization.adaptive.bayrn import BayRn
from sim2real.randomization.adaptive.settings import AdaptiveSettings
from sim2real.training.adaptation import ADAPTED, box_of, save_ranges
from sim2real.training.build import robot_of
from sim2real.training.job import Job
from sim2real.training.run import train
from sim2real.training.saved import load_policy

Array = NDArray[np.float64]
OnTarget = Callable[[Path], Array]
"""A run's folder → returns (n,) of its policy's episodes on the target."""

_STATE = "search.json"


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search ended with."""

    folder: Path
    finished: bool
    """False if it was interrupted: search again to go on."""
    returns: tuple[float, ...]
    """Mean return on the target of each round's policy."""
    best: Path | None
    """The run whose policy earned most."""


def search(
    job: Job,
    folder: Path,
    on_target: OnTarget,
    *,
    on_progress: Callable[[int, float], None] = lambda number, earned: None,
) -> SearchResult:
    """Train and try one round after the other, as the job's `[adaptive.bayrn]` says.

    Each round is a run in `folder`, with its ranges in `randomize.toml`. A search that was
    interrupted goes on where it was; its rounds differ in nothing but the ranges.

    Args:
        job: what to train.
        folder: where the rounds go.
        on_target: tries a policy. On a real robot this may ask somebody, or deploy and score.
        on_progress: told of each round, from 0, and what it earned.

    Raises:
        ConfigError: the folder holds the search of another job.
    """
    settings = job.adaptive.bayrn
    robot = robot_of(job)
    box = box_of(RobotVectorEnv(robot, 1), job.adaptive.parameters)
    seed = randomness.integer_seed(job.seed, "bayrn")
    algorithm = BayRn(box, settings, seed=seed)
    _begin(job, folder, algorithm)
    while algorithm.rounds < settings.rounds:
        number = algorithm.rounds
        run = _round(folder, number)
        save_ranges({**robot.ranges, **algorithm.source.ranges}, run / ADAPTED)
        one = replace(job, ranges=str(run / ADAPTED), adaptive=AdaptiveSettings())
        if not train(one, run, resume=(run / "checkpoint.pt").is_file()).finished:
            return _result(folder, algorithm, finished=False)
        earned = on_target(run)
        algorithm.observe(np.empty((0, len(box.names))), earned, np.empty(0, bool))
        _save(algorithm, folder)
        on_progress(number, float(earned.mean()))
    return _result(folder, algorithm, finished=True)


def on_robot(job: Job) -> OnTarget:
    """Return what tries policies on the simulated robot that the job names as its target."""
    if job.adaptive.bayrn.target is None:
        raise ConfigError("bayrn: target is missing: name the robot on which policies are tried")
    target = shipped.find_robot(job.adaptive.bayrn.target)
    robot = robot_of(job)
    if not target.drives_like(robot) or target.task["name"] != robot.task["name"]:
        raise ConfigError(
            f"bayrn: the target {target.name!r} has other joints, another rate or another task than"
            f" {robot.name!r}: give a folder with the same robot"
        )
    seed = randomness.integer_seed(job.seed, "target")
    env = RobotVectorEnv(target, job.evaluation_envs, seed=seed, nthread=job.nthread)

    def returns(run: Path) -> Array:
        return evaluate(env, load_policy(run).act, seed=seed).returns

    return returns


def _begin(job: Job, folder: Path, algorithm: BayRn) -> None:
    """Save the job, or take up the search that was interrupted."""
    path = folder / "job.toml"
    if path.is_file() and config.load(Job, path) != job:
        raise ConfigError(f"{folder} holds the search of another job: choose another folder")
    config.save(job, path)
    if (folder / _STATE).is_file():
        data: dict[str, Any] = json.loads((folder / _STATE).read_text())
        algorithm.load_state_dict({name: np.array(rows) for name, rows in data.items()})


def _save(algorithm: BayRn, folder: Path) -> None:
    data = {name: rows.tolist() for name, rows in algorithm.state_dict().items()}
    config.write_atomically(folder / _STATE, json.dumps(data).encode())


def _result(folder: Path, algorithm: BayRn, *, finished: bool) -> SearchResult:
    returns = algorithm.state_dict()["returns"]
    best = _round(folder, algorithm.best_round) if len(returns) else None
    return SearchResult(
        folder=folder, finished=finished, returns=tuple(returns.tolist()), best=best
    )


def _round(folder: Path, number: int) -> Path:
    return folder / f"round-{number:03}"
