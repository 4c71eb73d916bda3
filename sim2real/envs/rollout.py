"""Return and success of a policy over one episode in each of n worlds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv


@dataclass(frozen=True)
class Evaluation:
    """One episode in each of n worlds; the same seed gives the same worlds to every policy."""

    returns: NDArray[np.float64]
    """Sum of rewards (n,)."""
    success: NDArray[np.bool_]
    """Whether the task was done at the end (n,)."""
    steps: NDArray[np.int64]
    """Length of the episodes (n,)."""
    diverged: NDArray[np.bool_]
    """Whether the simulation diverged (n,): then the return says nothing of the policy."""

    def summary(self) -> dict[str, float]:
        """Return the mean return, its tenth percentile and the success rate."""
        return {
            "return": float(self.returns.mean()),
            "worst_tenth": float(np.quantile(self.returns, 0.1)),
            "success": float(self.success.mean()),
        }


def evaluate(
    env: RobotVectorEnv,
    act: Callable[[NDArray[np.float32]], NDArray[Any]],
    *,
    seed: int,
    worlds: NDArray[np.float64] | None = None,
) -> Evaluation:
    """Return how `act` (observations → actions) does in episode 0 of each of `env`'s worlds.

    `worlds` (n, p) are parameters to set, in the order of `env.randomizer.names`; those that the
    seed draws if not given.
    """
    options = None if worlds is None else {"worlds": worlds}
    observation, _ = env.reset(seed=seed, options=options)
    returns, success = np.zeros(env.num_envs), np.zeros(env.num_envs, bool)
    steps, running = np.zeros(env.num_envs, np.int64), np.ones(env.num_envs, bool)
    diverged = np.zeros(env.num_envs, bool)
    while running.any():
        observation, reward, terminated, truncated, infos = env.step(act(observation))
        returns += np.where(running, reward, 0.0)
        steps += running
        ended = running & (terminated | truncated)
        if ended.any():
            success |= ended & infos["success"]
            diverged |= ended & infos["diverged"]
            running &= ~ended
    return Evaluation(returns, success, steps, diverged)
