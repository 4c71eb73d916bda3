"""A planner that drives many simulated robots: what a model's own plans meet, it learns from."""

import numpy as np
import torch
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.collect import Act
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.train import Drive
from sim2real.mpc.planner import Planner
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.parameters import randomness
from sim2real.signals import Measured

_APART = 997  # between two robots' places on the tape of noise


def planning(planner: Planner, *, noise: float = 0.1, seed: int = 0) -> Drive:
    """Return what drives robots by plans on a model, for `train_dynamics`.

    Args:
        planner: the search.
        noise: standard deviation of what is added to the actions, so that the model also learns
            what lies beside its plans.
        seed: of that noise.
    """

    def drive(env: RobotVectorEnv, dynamics: Dynamics) -> Act:
        many = ManyPolicies(AdaptivePolicy(env.robot, env.task, dynamics, planner), env.num_envs)

        def act(step: int) -> NDArray[np.float64]:
            restarted = np.flatnonzero(env.steps == 0)
            many.reset(restarted)
            action = many.act(env.sim.measure(), env.command, env.goal)
            who, steps = np.arange(env.num_envs), np.full(env.num_envs, step)
            drawn = randomness.normal(seed, "drive", who, steps, size=action.shape[1])
            return np.clip(action + noise * drawn, -1.0, 1.0)

        return act

    return drive


class ManyPolicies:
    """One adaptive policy for each of n robots, each with a state of its own, in one batch."""

    def __init__(self, policy: AdaptivePolicy, n: int):
        self._policy, self._type = policy, next(policy.parameters()).dtype
        self._ask = torch.vmap(policy)
        self._start = {
            name: torch.zeros(n, 1, size, dtype=self._type)
            for name, size in policy.state_sizes.items()
        }
        self._start["noise"] = _APART * torch.arange(n, dtype=self._type)[:, None, None]
        self.states = dict(self._start)
        """Name → (n, 1, size)."""

    def reset(self, robots: NDArray[np.intp]) -> None:
        """Let some robots begin anew."""
        for name, start in self._start.items():
            self.states[name] = self.states[name].clone()
            self.states[name][robots] = start[robots]

    @torch.no_grad()
    def act(
        self, measured: Measured, command: NDArray[np.float64], goal: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return actions (n, ncommand) from what all robots measure, each array (n, size)."""
        tensors = {n: torch.as_tensor(v, dtype=self._type) for n, v in measured.signals().items()}
        before, wanted = (torch.as_tensor(x, dtype=self._type) for x in (command, goal))
        observation = self._policy.observe(Measured(**tensors), before, wanted)
        action, *states = self._ask(observation[:, None], *self.states.values())
        self.states = dict(zip(self.states, states, strict=True))
        return action[:, 0].numpy().astype(np.float64)
