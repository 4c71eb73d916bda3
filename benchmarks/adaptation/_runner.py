"""The half-cheetah model that two benchmarks share: trained once, or taken from a folder."""

import dataclasses
from pathlib import Path

import torch

from sim2real import config
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.job import DynamicsJob
from sim2real.meta.model_file import load_model
from sim2real.meta.train import train_dynamics
from sim2real.mpc.drive import planning
from sim2real.mpc.icem import ICEM

JOB = Path(__file__).parent / "half_cheetah.toml"
EXPLORING = ICEM(horizon=10, candidates=32, iterations=2, elites=8, kept=3, colour=1.0)


def runner(folder: Path, *, quick: bool) -> tuple[Dynamics, DynamicsJob]:
    """Return the model in a folder; train it there first if there is none."""
    torch.set_num_threads(1)
    if not (folder / "dynamics.pt").is_file():
        job = config.load(DynamicsJob, JOB)
        if quick:
            small = dataclasses.replace(job.dynamics, robots=4, seconds=3.0, rounds=2)
            short = dataclasses.replace(job.fit, steps=20)
            job = dataclasses.replace(job, dynamics=small, fit=short)
        train_dynamics(
            job,
            folder,
            drive=planning(EXPLORING, noise=0.2),
            on_progress=lambda step, note: (
                print(step, note, flush=True) if not step % 500 else None
            ),
        )
    return load_model(folder)


def _tell(step: int, note: str) -> None:
    if step % 500 == 0:
        print(f"trained {step} steps, {note}", flush=True)
