"""The environment as stable-baselines3 sees it."""

from typing import Any, final

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from sim2real.envs.vector_env import RobotVectorEnv


@final
class StableBaselines3Env(VecEnv):
    """A `VecEnv` with terminal observations and time limits reported as the library expects."""

    def __init__(self, env: RobotVectorEnv):
        """Wrap `env`."""
        self.env = env
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._actions = np.zeros((env.num_envs, *env.single_action_space.shape), np.float32)  # type: ignore[misc]

    def reset(self) -> np.ndarray:
        """Start every environment's next episode, or episode 0 after `seed`."""
        seed = self._seeds[0]
        self._reset_seeds()
        observation, _ = self.env.reset(seed=seed)
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Advance every environment by one control step."""
        observation, reward, terminated, truncated, infos = self.env.step(self._actions)
        done = terminated | truncated
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            rows[i] = {
                "terminal_observation": infos["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i]),
                "success": bool(infos["success"][i]),
                "diverged": bool(infos["diverged"][i]),
            }
        return observation, reward.astype(np.float32), done, rows

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the environment's attribute, once for each index."""
        value = getattr(self.env, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: the environments are one object."""
        raise NotImplementedError(f"set {attr_name} on the RobotVectorEnv itself")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refuse: the environments are one object."""
        raise NotImplementedError(f"call {method_name} on the RobotVectorEnv itself")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Return False for every environment."""
        return [False for _ in self._get_indices(indices)]
