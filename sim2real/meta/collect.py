"""Transitions of randomized simulations."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray

from sim2real.envs.coordinates import views
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.episodes import Episodes
from sim2real.meta.state import StateSpace
from sim2real.signals import Measured

Array = NDArray[np.float64]
Act = Callable[[int], NDArray[Any]]
"""Number of the control step → actions (n, ncommand) in [-1, 1]."""


def state_space(env: RobotVectorEnv) -> StateSpace:
    """Return the states of an environment's robot.

    A position that the task does not see is unseen; a hinge without limits is an angle.
    """
    robot, model = env.robot, env.sim.model
    endless = [
        model.joint(name).type[0] == mujoco.mjtJoint.mjJNT_HINGE
        and not model.joint(name).limited[0]
        for name in robot.joints
    ]
    seen = [view != "unseen" for view in views(env)]
    return StateSpace(
        njoint=len(robot.joints),
        ncommand=len(robot.driven),
        unseen=tuple(i for i, known in enumerate(seen) if not known),
        angles=tuple(i for i, turns in enumerate(endless) if turns and seen[i]),
        has_base=robot.base is not None,
        servos=tuple(
            (command, list(robot.joints).index(name))
            for command, name in enumerate(robot.driven)
            if robot.joints[name].mode == "position"
        ),
    )


def collect(env: RobotVectorEnv, steps: int, act: Act) -> Episodes:
    """Return what the robots of `env`, which was reset, do in the next `steps` control steps.

    States are what the sensors measure, noise and delays included. Episodes that end start anew.
    """
    before: list[Array] = []
    after: list[Array] = []
    commands, good, episode = [], [], []

    def note(old: Measured, new: Measured, ended: NDArray[np.bool_]) -> None:
        before.append(_rows(old))
        after.append(_rows(new))
        commands.append(env.command.copy())
        good.append(~env.sim.diverged)
        episode.append(env.episode.copy())

    env.watchers.append(note)
    try:
        for step in range(steps):
            env.step(act(step))
    finally:
        env.watchers.remove(note)
    fine = np.array(good) & np.isfinite(before).all(axis=2) & np.isfinite(after).all(axis=2)
    return Episodes(
        states=_tensor(before),
        commands=_tensor(commands),
        next_states=_tensor(after),
        good=torch.from_numpy(fine.T.copy()),
        episode=torch.from_numpy(np.array(episode).T.copy()),
    )


def _rows(measured: Measured) -> Array:
    return measured.joined()


def _tensor(steps: list[Array]) -> torch.Tensor:
    """Return arrays (n, size), one a step, as a tensor (n, t, size) without what is not finite."""
    values = np.nan_to_num(np.array(steps), nan=0.0, posinf=0.0, neginf=0.0)
    return torch.from_numpy(values.swapaxes(0, 1).astype(np.float32))
