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
        self.observations = self._groups(env.reset()[0], self._privileged())

    def restart(self) -> None:
        """Start every environment's next episode, wherever it is."""
        self.observations = self._groups(self.env.reset()[0], self._privileged())

    def get_observations(self) -> TensorDict:
        """Return the current observations."""
        return self.observations

    def step(
        self, actions: torch.Tensor
    ) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Advance all environments.

        `extras["truncated"]` (n,) tells the episodes that only ran out of time; if there are any,
        `extras["final_observations"]` holds the observations before the restart: the value of such
        an episode is that of its last state, not of the next episode's first. If simulations
        diverged, `extras["diverged"]` (n,) tells which: what they did is nothing to learn from.
        """
        observation, reward, terminated, truncated, infos = self.env.step(actions.numpy())
        extras = {"truncated": torch.from_numpy(truncated), "infos": infos}
        if truncated.any():
            final = torch.from_numpy(infos["final_privileged"])
            extras["final_observations"] = self._groups(infos["final_obs"], final)
            extras["diverged"] = torch.from_numpy(infos["diverged"])
        self.observations = self._groups(observation, self._privileged())
        done = torch.from_numpy((terminated | truncated).astype("int64"))
        return self.observations, torch.from_numpy(reward.astype("float32")), done, extras

    def _groups(self, observation: Any, privileged: torch.Tensor) -> TensorDict:
        groups = {"policy": torch.from_numpy(observation), "privileged": privileged}
        return TensorDict(groups, batch_size=[self.num_envs])  # type: ignore[arg-type]

    def _privileged(self) -> torch.Tensor:
        return torch.from_numpy(self.env.privileged)
