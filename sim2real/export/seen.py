"""What a policy meets in the worlds that it was trained in, as an exported file tells it."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.seen import ANYTHING, Seen
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters import randomness
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.tasks.task import Task

_SHARES = (0.001, 0.999)  # quantiles: the last glimpse of a robot that fell is no place to be
_GOALS = 4096
_CORNERS = 8  # numbers that a goal is drawn from, up to which all corners are looked at
_SEED = 0


def seen_by(env: RobotVectorEnv, act: Callable[[NDArray[np.float32]], NDArray[Any]]) -> Seen:
    """Return what is measured while `act` drives an episode in each of `env`'s worlds, and goals.

    Of each measured number the quantiles 0.1 % and 99.9 %.
    """
    rows: list[dict[str, NDArray[np.float64]]] = []

    def watch(before: Measured, after: Measured, terminated: NDArray[np.bool_]) -> None:
        rows.append(after.of(~env.sim.diverged).signals())

    env.watchers.append(watch)
    evaluate(env, act, seed=env.seed)
    env.watchers.remove(watch)
    found = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    ends = {name: np.quantile(values, _SHARES, axis=0) for name, values in found.items()}
    return as_seen(env.robot, env.task, {name: (low, high) for name, (low, high) in ends.items()})


def as_seen(robot: Robot, task: Task, ranges: dict[str, tuple[Any, Any]]) -> Seen:
    """Return ranges (size,) of measured signals with those of the goals that `task` draws.

    A joint without limits turns for ever, and where it is tells nothing: any position is known.
    """
    endless = np.array([
        joint.limits is None or joint.limits.position is None for joint in robot.joints.values()
    ])  # fmt: skip
    low, high = ranges["position"]
    turning = {"position": (np.where(endless, -ANYTHING, low), np.where(endless, ANYTHING, high))}
    every = ranges | turning | ({"goal": _goals(task)} if task.ngoal else {})
    return {name: (_floats(least), _floats(most)) for name, (least, most) in every.items()}


def _goals(task: Task) -> tuple[Any, Any]:
    n = task.ngoal_uniforms
    u = randomness.uniform(_SEED, "goals seen", np.arange(_GOALS), 0, size=n)
    if n <= _CORNERS:
        u = np.concatenate([u, list(itertools.product((0.0, np.nextafter(1.0, 0.0)), repeat=n))])
    goals = task.draw_goal(u)
    return goals.min(axis=0), goals.max(axis=0)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values))
