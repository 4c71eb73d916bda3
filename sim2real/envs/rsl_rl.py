"""The environment as rsl_rl sees it."""

from typing import Any, final

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from sim2real.envs.vector_env import RobotVectorEnv


@final
class RslRlEnv(VecEnv):
    """Observations in two groups: `policy`, and `privileged` for the critic alone."""

    def __init__(self, env: RobotVectorEnv):
        """Wrap `env` and start all its episodes."""
        self.env = env
        self.num_envs = env.num_envs
        self.num_actions = env.single_action_space.shape[0]  # type: ignore[index]
        self.max_episode_length = env.max_steps
        self.episode_length_buf = torch.from_numpy(env.steps)  # the same memory
        self.device = "cpu"
        self.cfg = {}
        self.observation, _ = env.reset()

    def get_observations(self) -> TensorDict:
        """Return the current observations."""
        return self._groups(self.observation)

    def step(
        self, actions: torch.Tensor
    ) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Advance all environments.

        `extras["final_observations"]` holds the observations before any restart: the value of a
        truncated episode is that of its last state, not of the next episode's first.
        """
        before = self._privileged()
        self.observation, reward, terminated, truncated, infos = self.env.step(actions.numpy())
        last = self._groups(infos.get("final_obs", self.observation), before)
        extras = {
            "truncated": torch.from_numpy(truncated),
            "final_observations": last,
            "infos": infos,
        }
        done = torch.from_numpy((terminated | truncated).astype("int64"))
        reward = torch.from_numpy(reward.astype("float32"))
        return self._groups(self.observation), reward, done, extras

    def _groups(self, observation: Any, privileged: torch.Tensor | None = None) -> TensorDict:
        groups = {
            "policy": torch.from_numpy(observation),
            "privileged": self._privileged() if privileged is None else privileged,
        }
        return TensorDict(groups, batch_size=[self.num_envs])  # type: ignore[arg-type]

    def _privileged(self) -> torch.Tensor:
        return torch.from_numpy(self.env.privileged)
