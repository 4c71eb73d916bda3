"""One simulated episode under any source of commands: a planner, an exported controller."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim2real.control import ActionMap
from sim2real.deploy.source import CommandSource
from sim2real.envs.vector_env import RobotVectorEnv

Progress = Callable[[int, float], None]
"""Told the control steps so far, and what they earned."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an episode went."""

    rewards: tuple[float, ...]
    """Of each control step."""
    success: tuple[bool, ...]
    """Whether the robot did what it is to do, at the end of each control step."""
    failed: bool
    """Whether the robot failed for good."""
    counts: dict[str, int]
    """What the source counts."""

    @property
    def earned(self) -> float:
        """The return."""
        return sum(self.rewards)

    @property
    def steps(self) -> int:
        """Control steps until the end."""
        return len(self.rewards)


def simulate(
    source: CommandSource,
    env: RobotVectorEnv,
    steps: int,
    *,
    seed: int,
    on_step: Callable[[RobotVectorEnv, int], None] | None = None,
    on_progress: Progress | None = None,
) -> Outcome:
    """Return how `source` does in one world, from what the sensors measure there.

    Args:
        source: asked for a command in each control step.
        env: one environment, which is reset.
        steps: how many, unless the robot fails before.
        seed: of the world and the start.
        on_step: called before each control step, with its number; may change the world.
        on_progress: told how far it is.
    """
    env.max_steps = steps + 1
    env.reset(seed=seed)
    source.reset(env.command[0].copy())
    action_map, rewards, success, failed = ActionMap.of(env.robot), [], [], False
    for step in range(steps):
        if on_step is not None:
            on_step(env, step)
        measured = env.sim.measure().of(0)
        command = source.step(measured, env.goal[0])
        action = action_map.action(command[None], env.command)
        noted = int(env.success_steps[0])
        _, reward, terminated, truncated, _ = env.step(action)
        rewards.append(float(reward[0]))
        success.append(int(env.success_steps[0]) > noted)
        if on_progress is not None:
            on_progress(step + 1, float(np.sum(rewards)))
        if terminated[0] or truncated[0]:
            failed = True
            break
    return Outcome(
        rewards=tuple(rewards), success=tuple(success), failed=failed, counts=source.counts()
    )
