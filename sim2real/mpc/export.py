"""A dynamics model that adapts, and a planner on it, as one exported controller."""

import dataclasses
import platform
from pathlib import Path

import onnxruntime
import torch

from sim2real import __version__, config
from sim2real.errors import ConfigError
from sim2real.export.onnx_file import export
from sim2real.export.seen import as_seen
from sim2real.meta.job import DynamicsJob
from sim2real.meta.model_file import load_model
from sim2real.mpc.build import build_planner
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.mpc.settings import PlannerSettings
from sim2real.robot import Robot
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task


def export_model(
    folder: Path, path: Path, settings: PlannerSettings, *, adapts: bool = True
) -> float:
    """Write a folder's model, with a planner on it, to `path`; return its deviation from torch.

    Raises:
        ConfigError: the folder holds no model, or its robot cannot be planned for.
        ControllerError: the exported file does not do what torch does.
    """
    dynamics, job = load_model(folder)
    robot = _robot(job)
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    policy = AdaptivePolicy(robot, task, dynamics, build_planner(settings), adapts=adapts)
    versions = {
        "sim2real": __version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    job = dataclasses.replace(job, robot=Path(job.robot).name)
    origin = {
        "job": config.to_dict(job),
        "planner": config.to_dict(settings),
        "adapts": adapts,
        "versions": versions,
    }
    seen = as_seen(robot, task, dynamics.scaling.seen())
    return export(
        policy, robot, task, path, seen=seen, trained_on=dict(robot.randomize), origin=origin
    )


def _robot(job: DynamicsJob) -> Robot:
    robot = job.find_robot()
    if robot.base is not None:
        raise ConfigError(
            f"robot {robot.name!r}: a controller that plans on a model needs a robot whose joints"
            " tell its whole state; this one has a floating base"
        )
    return robot
