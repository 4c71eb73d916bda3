"""Export of a training run."""

import dataclasses
import json
import platform
from pathlib import Path
from typing import Any

import onnxruntime
import torch

from sim2real import __version__, config
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.export.checks import is_absolute
from sim2real.export.onnx_file import export
from sim2real.export.seen import seen_by
from sim2real.gap.digest import digest
from sim2real.parameters.posterior import Posterior
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.adaptation import ADAPTED
from sim2real.training.build import environment_of, robot_of
from sim2real.training.job import Job
from sim2real.training.run import GAP
from sim2real.training.saved import load_policy

_WORLDS = 32


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
    posterior = None if job.posterior is None else Posterior.load(Path(job.posterior))
    if posterior is not None:
        trained_on["posterior"] = config.to_dict(posterior)
    versions = {
        "sim2real": __version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    origin: dict[str, Any] = {"job": config.to_dict(job), "versions": versions}
    if (folder / GAP).is_file():
        text = (folder / GAP).read_text()
        report = json.loads(text)
        origin["gap"] = {"training": digest(text), "report": report["report"]}
    told = {"trained_on": _portable(trained_on), "origin": _portable(origin)}
    policy = load_policy(folder)
    seen = seen_by(_worlds(folder, job, posterior), policy.act)
    return export(policy, robot, task, path, seen=seen, **told)


def _worlds(folder: Path, job: Job, posterior: Posterior | None) -> RobotVectorEnv:
    """Return a few of the worlds that the policy was trained in at the end."""
    if (folder / ADAPTED).is_file():
        job = dataclasses.replace(job, ranges=str(folder / ADAPTED))
    env = environment_of(job, robot_of(job), posterior, _WORLDS, "export")
    env.set_progress(1.0)
    return env


def _portable(value: Any) -> Any:
    """Return plain data with the last name of each absolute path, which means nothing elsewhere."""
    if isinstance(value, dict):
        return {key: _portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item) for item in value]
    return Path(value).name if isinstance(value, str) and is_absolute(value) else value
