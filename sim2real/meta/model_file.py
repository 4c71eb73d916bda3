"""A trained dynamics model in a folder, and back."""

import io
import pickle
from dataclasses import asdict
from pathlib import Path

import torch

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.meta.build import build
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.job import DynamicsJob
from sim2real.meta.scaling import Scaling
from sim2real.meta.state import StateSpace

JOB, MODEL = "job.toml", "dynamics.pt"


def save_model(dynamics: Dynamics, job: DynamicsJob, folder: Path) -> None:
    """Write `job.toml` and `dynamics.pt`, each whole or not at all."""
    buffer = io.BytesIO()
    space = asdict(dynamics.scaling.space)
    torch.save({"space": space, "weights": dynamics.state_dict()}, buffer)
    config.save(job, folder / JOB)
    config.write_atomically(folder / MODEL, buffer.getvalue())


def load_model(folder: Path) -> tuple[Dynamics, DynamicsJob]:
    """Return the model of a folder, and the job that made it.

    Raises:
        ConfigError: there is none, or it is damaged or another version's.
    """
    job = config.load(DynamicsJob, folder / JOB)
    path = folder / MODEL
    if not path.is_file():
        raise ConfigError(
            f"{folder}: no {MODEL}: train a model with sim2real adapt {job.robot} --output {folder}"
        )
    try:
        data = torch.load(path, weights_only=True)
        scaling = Scaling(StateSpace(**data["space"]))
        dynamics = build(scaling, job.dynamics, job.adaptation, seed=job.seed)
        dynamics.load_state_dict(data["weights"])
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"{path} is no model of {folder / JOB} ({error}): train it again"
        ) from None
    return dynamics.eval(), job
