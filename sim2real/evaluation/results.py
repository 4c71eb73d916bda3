"""What a folder of results holds: runs, recordings on the robot, a calibration, the truth."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sim2real import config, shipped
from sim2real.deploy.recording import read_recording
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.evaluation.recording import Score, score
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.tasks import Task
from sim2real.training.job import Job
from sim2real.training.saved import load_policy
from sim2real.trajectory import Trajectory

_WORLDS = 128


@dataclass(frozen=True, kw_only=True)
class PolicyResult:
    """One trained policy: how it learned, what it is worth in simulation and on the robot."""

    name: str
    job: Job
    learning: list[dict[str, float]]
    """One row an iteration: steps and what was logged."""
    simulated: dict[str, dict[str, float]] = field(default_factory=dict)
    """Name of a distribution of worlds → mean return, worst tenth, success."""
    episodes: list[tuple[Trajectory, Score]] = field(default_factory=list)
    """Recorded on the robot."""

    @property
    def robot_return(self) -> float:
        """Mean return on the robot; NaN without recordings."""
        return float(np.mean([s.total for _, s in self.episodes])) if self.episodes else np.nan

    @property
    def robot_success(self) -> float:
        """Share of the episodes on the robot that succeeded; NaN without recordings."""
        return float(np.mean([s.success for _, s in self.episodes])) if self.episodes else np.nan


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that a report shows."""

    robot: Robot
    policies: list[PolicyResult]
    calibration: dict[str, Any] | None
    posterior: Posterior | None
    truth: dict[str, float]
    """Planted parameters of a virtual robot; empty if there is none to compare with."""
    steps: list[dict[str, Any]]
    """What was run: title, command, seconds."""


def gather(folder: Path) -> Results:
    """Return the results in `folder`, evaluating each policy in simulation.

    Raises:
        ConfigError: there is no training run in it.
    """
    runs = sorted(folder.glob("*/job.toml"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise ConfigError(f"{folder}: no training run in it (no */job.toml): nothing to report")
    robot = shipped.find_robot(config.load(Job, runs[0]).robot)
    saved = folder / "calibration" / "posterior.toml"
    posterior = Posterior.load(saved) if saved.is_file() else None
    worlds = _worlds(robot, posterior)
    policies = [_policy(path.parent, robot, worlds) for path in runs]
    return Results(
        robot=robot,
        policies=policies,
        calibration=_json(folder / "calibration" / "calibration.json", None),
        posterior=posterior,
        truth=_json(folder / "truth.json", {}).get("parameters", {}),
        steps=_json(folder / "steps.json", []),
    )


def _worlds(robot: Robot, posterior: Posterior | None) -> dict[str, RobotVectorEnv]:
    worlds = {"wide": RobotVectorEnv(robot, _WORLDS, nthread=2)}
    if posterior is not None:
        worlds["calibrated"] = RobotVectorEnv(robot, _WORLDS, nthread=2, posterior=posterior)
    return worlds


def _policy(folder: Path, robot: Robot, worlds: dict[str, RobotVectorEnv]) -> PolicyResult:
    policy = load_policy(folder)
    lines = (folder / "progress.jsonl").read_text().splitlines()
    task = next(iter(worlds.values())).task
    return PolicyResult(
        name=folder.name,
        job=config.load(Job, folder / "job.toml"),
        learning=[json.loads(line) for line in lines],
        simulated={
            # the same seed: both policies meet the same worlds
            name: evaluate(env, policy.act, seed=0).summary()
            for name, env in worlds.items()
        },
        episodes=_episodes(folder.parent / f"{folder.name}-on-robot", robot, task),
    )


def _episodes(folder: Path, robot: Robot, task: Task) -> list[tuple[Trajectory, Score]]:
    episodes = []
    for path in sorted(folder.glob("*.mcap")):
        trajectory, metadata = read_recording(path)
        goal = np.array(metadata.get("goal") or task.default_goal())
        episodes.append((trajectory, score(trajectory, robot, task, goal)))
    return episodes


def _json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else default
