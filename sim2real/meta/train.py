"""Collect, train, test: from a job to a dynamics model that adapts."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sim2real import config
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.build import build
from sim2real.meta.collect import Act, collect, state_space
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.ensemble import Ensemble
from sim2real.meta.episodes import Episodes
from sim2real.meta.excite import Excitation
from sim2real.meta.fit import fit, fit_scaling
from sim2real.meta.horizon import HorizonError, horizon_error
from sim2real.meta.job import DynamicsJob
from sim2real.meta.model_file import save_model
from sim2real.meta.scaling import Scaling
from sim2real.parameters import randomness

HORIZON = "horizon.json"

Progress = Callable[[int, str], None]
"""Told the training steps so far in all rounds, and a note."""

Drive = Callable[[RobotVectorEnv, Dynamics], Act]
"""What acts in the rounds after the first: a planner on the model so far, say."""

_TEST = "test"


@dataclass(frozen=True, kw_only=True)
class TrainedDynamics:
    """A model, and how well it predicts worlds that it was not trained on."""

    dynamics: Dynamics
    horizon: HorizonError
    diverged: int
    """How many episodes ended because their simulation diverged."""


def train_dynamics(
    job: DynamicsJob,
    folder: Path | None = None,
    *,
    drive: Drive | None = None,
    on_progress: Progress | None = None,
) -> TrainedDynamics:
    """Train the job's model, test it in new worlds, and write both to a folder if one is given.

    Each round collects in new worlds and trains on the data of all rounds. In the first one the
    robots are shaken; in the others `drive` acts, or they are shaken again.
    """
    env = RobotVectorEnv(job.find_robot(), job.dynamics.robots, nthread=job.nthread, seed=job.seed)
    dynamics = build(Scaling(state_space(env)), job.dynamics, job.adaptation, seed=job.seed)
    parts: list[Episodes] = []
    for number in range(job.dynamics.rounds):
        act = drive(env, dynamics) if drive is not None and number else None
        parts.append(_collect(env, job, f"round {number}", act))
        if not number:  # later data must not change what the weights mean
            fit_scaling(dynamics, parts[0])
        _fit(dynamics, Episodes.join(parts), job, number, on_progress)
    dynamics.eval()
    test = _collect(env, job, _TEST, None)
    horizon = horizon_error(dynamics, test, env.robot.control_hz, seed=job.seed)
    if folder is not None:
        save_model(dynamics, job, folder)
        text = json.dumps(dataclasses.asdict(horizon), indent=1)
        config.write_atomically(folder / HORIZON, text.encode())
    return TrainedDynamics(dynamics=dynamics, horizon=horizon, diverged=env.diverged)


def _collect(env: RobotVectorEnv, job: DynamicsJob, term: str, act: Act | None) -> Episodes:
    """Return what robots do in worlds that (seed, term) draw."""
    seed = randomness.integer_seed(job.seed, term)
    env.reset(seed=seed)
    hz = env.robot.control_hz
    shake = Excitation(seed, env.num_envs, len(env.robot.driven), hz)
    return collect(env, max(1, round(job.dynamics.seconds * hz)), act or shake)


def _fit(
    dynamics: Dynamics,
    episodes: Episodes,
    job: DynamicsJob,
    number: int,
    on_progress: Progress | None,
) -> None:
    """Train every member, each of an ensemble on a draw of the robots with replacement."""
    models = dynamics.models if isinstance(dynamics, Ensemble) else [dynamics]
    smoothed = 0.0
    for index, model in enumerate(models):
        seed = randomness.integer_seed(job.seed, f"fit {number} {index}")
        data = episodes if len(models) == 1 else episodes[_bootstrap(len(episodes.good), seed)]
        done = (number * len(models) + index) * job.fit.steps

        def tell(step: int, loss: float, done: int = done) -> None:
            nonlocal smoothed
            smoothed = loss if not smoothed else 0.99 * smoothed + 0.01 * loss
            if on_progress is not None and (step % 20 == 0 or step + 1 == job.fit.steps):
                on_progress(done + step + 1, f"error {smoothed:.3f}")

        fit(model, data, job.fit, seed=seed, on_progress=tell)


def _bootstrap(n: int, seed: int) -> torch.Tensor:
    return torch.randint(n, (n,), generator=torch.Generator().manual_seed(seed))
