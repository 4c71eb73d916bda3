"""A policy to examine: a training run's best, or an exported controller."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real import config, shipped
from sim2real.control import ActionMap
from sim2real.deploy.controller import Controller
from sim2real.envs.rollout import Evaluation, evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.export.batched import batched_session
from sim2real.robot import Robot
from sim2real.signals import Measured, row_size
from sim2real.tasks import Task
from sim2real.training.job import Job
from sim2real.training.saved import load_policy

Act = Callable[[NDArray[np.float32]], NDArray[Any]]


@dataclass(frozen=True)
class Examined:
    """A policy and the robot that it drives."""

    name: str
    robot: Robot
    start: Callable[[RobotVectorEnv], Act]
    """Returns what acts in the episodes that start next in an environment of `environment`."""
    raw: bool
    """Whether it takes measurements, as a controller does, or the task's observations."""

    def environment(self, robot: Robot, num_envs: int, nthread: int) -> RobotVectorEnv:
        """Return an environment in which it can act; `robot` is its own, with any ranges."""
        env = RobotVectorEnv(robot, num_envs, nthread=nthread)
        if self.raw:
            env.task = _unobserved(env.task)
        return env

    def evaluate(
        self, env: RobotVectorEnv, worlds: NDArray[np.float64], *, seed: int
    ) -> Evaluation:
        """Return how it does in `worlds` (num_envs, p)."""
        return evaluate(env, self.start(env), seed=seed, worlds=worlds)


def open_policy(path: Path, robot: str | None = None) -> Examined:
    """Return the policy of a run's folder or of an ONNX file.

    Args:
        path: the folder or the file.
        robot: a shipped name or a folder; the one that the policy was trained for if not given.

    Raises:
        ConfigError: it is neither, or was trained for another robot.
        ControllerError: the file is damaged, or made for another robot.
    """
    if path.is_dir():
        return _of_run(path, robot)
    if path.suffix != ".onnx" and not path.is_file():
        raise ConfigError(f"{path}: no such run: give a run's folder or an exported .onnx file")
    return _of_controller(path, robot)


def _of_run(folder: Path, name: str | None) -> Examined:
    policy = load_policy(folder)
    robot = shipped.find_robot(name or config.load(Job, folder / "job.toml").robot)
    env = RobotVectorEnv(robot, 1)
    expected = (env.task.nobs, len(robot.driven))
    if (policy.sizes[0], policy.sizes[-1]) != expected:
        raise ConfigError(
            f"{folder}: its policy maps {policy.sizes[0]} observations to {policy.sizes[-1]}"
            f" actions, but robot {robot.name!r} has {expected[0]} and {expected[1]}: it was"
            " trained for another robot"
        )
    return Examined(folder.name, robot, lambda env: policy.act, raw=False)


def _of_controller(path: Path, name: str | None) -> Examined:
    controller = Controller.load(path, None)
    robot = shipped.find_robot(name or controller.spec.robot)
    controller = Controller.load(path, robot)
    session = batched_session(path)

    def start(env: RobotVectorEnv) -> Act:
        if session is None:
            return _RowByRow(controller, env)
        return _AllRows(session, controller, env)

    return Examined(path.stem, robot, start, raw=True)


def _unobserved(task: Task) -> Task:
    """Return the task with raw measurements for observations: the robot's signals, and the goal."""

    def observe(measured: Measured, command: Any, goal: Any) -> Any:
        return np.concatenate([*measured.signals().values(), goal], axis=1)

    raw = copy.copy(task)
    raw.observe = observe
    return raw


class _AllRows:
    """A controller's graph on all environments at once, carrying its state."""

    def __init__(self, session: Any, controller: Controller, env: RobotVectorEnv):
        self._session, self._env = session, env
        self._map = ActionMap.of(env.robot)
        self._states = {name: value for name, value in controller.spec.initial_state.items()}
        self._feed: dict[str, NDArray[np.float32]] = {}
        self._goal = bool(controller.goal)

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[Any]:
        n, m = len(observation), row_size(self._env.robot)
        if not self._feed:  # the first step: what was commanded before is the start's
            for name, value in self._states.items():
                self._feed[f"state.{name}"] = np.tile(np.array(value, np.float32), (n, 1))
            if "state.command" in self._feed:
                self._feed["state.command"] = self._env.command.astype(np.float32)
        signals = Measured.split(self._env.robot, observation[:, :m]).signals()
        if self._goal:
            signals["goal"] = observation[:, m:]
        outputs = ["command", *(f"next.state.{name}" for name in self._states)]
        command, *states = self._session.run(outputs, signals | self._feed)
        self._feed = {f"state.{n}": x for n, x in zip(self._states, states, strict=True)}
        return self._map.action(command, self._env.command)


class _RowByRow:
    """A controller whose graph takes one row only."""

    def __init__(self, controller: Controller, env: RobotVectorEnv):
        self._env, self._map = env, ActionMap.of(env.robot)
        self._controllers = [
            Controller(controller._session, controller.spec, {}) for _ in range(env.num_envs)
        ]
        self._begun = False

    def __call__(self, observation: NDArray[np.float32]) -> NDArray[Any]:
        robot, m = self._env.robot, row_size(self._env.robot)
        if not self._begun:
            self._begun = True
            for each, command in zip(self._controllers, self._env.command, strict=True):
                each.reset(command)
        rows = zip(self._controllers, observation, strict=True)
        command = [each.step(Measured.split(robot, row[:m]), row[m:]) for each, row in rows]
        return self._map.action(np.array(command), self._env.command)
