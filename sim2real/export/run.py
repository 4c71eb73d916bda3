"""Export of a training run."""

import platform
from pathlib import Path
from typing import Any

import onnxruntime
import torch

from sim2real import __version__, config
from sim2real.errors import ConfigError
from sim2real.export.checks import is_absolute
from sim2real.export.onnx_file import export
from sim2real.parameters.posterior import Posterior
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.adaptation import ADAPTED
from sim2real.training.job import Job
from sim2real.training.run import load_policy, robot_of


def export_run(folder: Path, path: Path) -> float:
    """Write the best policy of the run in `folder` to `path`; return its deviation from torch.

    Raises:
        ConfigError: the folder holds no run.
        ControllerError: the exported file does not do what torch does.
    """
    if not (folder / "job.toml").is_file():
        raise ConfigError(f"{folder}: not a training run: it has no job.toml; train first")
    job = config.load(Job, folder / "job.toml")
    robot = robot_of(job)
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    trained_on = dict(robot.randomize) if job.randomized else {}
    if (folder / ADAPTED).is_file():
        trained_on = config.read_toml(folder / ADAPTED)["randomize"]
    if job.posterior is not None:
        trained_on["posterior"] = _portable(config.to_dict(Posterior.load(Path(job.posterior))))
    versions = {
        "sim2real": __version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    origin = {"job": _portable(config.to_dict(job)), "versions": versions}
    return export(load_policy(folder), robot, task, path, trained_on=trained_on, origin=origin)


def _portable(value: Any) -> Any:
    """Return plain data with the last name of each absolute path, which means nothing elsewhere."""
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    return Path(value).name if isinstance(value, str) and is_absolute(value) else value
