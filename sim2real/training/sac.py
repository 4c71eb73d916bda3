"""SAC: stable-baselines3's algorithm on our environment."""

from typing import Any, final

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback

from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.training.job import SACSettings
from sim2real.training.policy import Policy
from sim2real.training.statistics import EpisodeStatistics
from sim2real.training.trainer import OTHER_NETWORKS, Trainer


@final
class SACTrainer(Trainer):
    """Soft actor-critic (Haarnoja et al. 2018)."""

    def __init__(self, env: RobotVectorEnv, settings: SACSettings, seed: int):
        self._settings, self.env = settings, env
        self._statistics = EpisodeStatistics(env.num_envs)
        self._callback = _Note(self._statistics)
        smooth = settings.noise == "state_dependent"
        self._model = SAC(
            "MlpPolicy",
            StableBaselines3Env(env),
            learning_rate=settings.learning_rate,
            buffer_size=settings.buffer_size,
            learning_starts=settings.learning_starts,
            batch_size=settings.batch_size,
            gamma=settings.gamma,
            tau=settings.tau,
            train_freq=settings.train_every,
            gradient_steps=settings.gradient_steps * settings.train_every,
            replay_buffer_class=_Replay,
            use_sde=smooth,
            use_sde_at_warmup=smooth,
            policy_kwargs={"net_arch": list(settings.hidden)}
            | ({"clip_mean": 0.0} if smooth else {}),  # the policy that is kept has no clip
            seed=seed,
            device="cpu",
        )
        env.single_action_space.seed(seed)
        self.steps = 0

    def iterate(self) -> dict[str, float]:  # noqa: D102
        steps = self._settings.iteration_steps * self.env.num_envs
        self._model.learn(steps, callback=self._callback, reset_num_timesteps=self.steps == 0)
        self.steps += steps
        logged = self._model.logger.name_to_value
        losses = {
            key.removeprefix("train/"): float(value)
            for key, value in logged.items()
            if key.startswith("train/")
        }
        return self._statistics.summary() | losses

    def policy(self) -> Policy:  # noqa: D102
        actor = self._model.actor
        shape = self.env.single_observation_space.shape or ()
        sizes = (*shape, *self._settings.hidden, *(self.env.single_action_space.shape or ()))
        policy = Policy(sizes, "relu", squash=True)
        policy.copy_layers(actor.latent_pi, actor.mu)
        return policy.eval()

    def start_from(self, data: dict[str, Any]) -> None:  # noqa: D102
        try:
            self._model.set_parameters(data["parameters"])
        except (KeyError, RuntimeError, ValueError):
            raise ConfigError(OTHER_NETWORKS) from None

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        model, buffer = self._model, self._model.replay_buffer
        assert buffer is not None  # SAC makes it on construction
        return {
            "parameters": model.get_parameters(),
            "log_entropy_coefficient": model.log_ent_coef,  # in no state_dict of the library's
            "buffer": {key: getattr(buffer, key) for key in _BUFFER},
            "last": (model._last_obs, model._last_episode_starts),
            "env": self.env.state_dict(),
            "statistics": self._statistics.state_dict(),
            "random": (torch.get_rng_state(), np.random.get_state()),  # noqa: NPY002
            "actions": model.action_space.np_random.bit_generator.state,
            "steps": self.steps,
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        model = self._model
        model.set_parameters(data["parameters"])
        with torch.no_grad():
            model.log_ent_coef.copy_(data["log_entropy_coefficient"])  # type: ignore[union-attr]
        model.num_timesteps = data["steps"]
        for key, value in data["buffer"].items():
            setattr(model.replay_buffer, key, value)
        model._last_obs, model._last_episode_starts = data["last"]
        self.env.load_state_dict(data["env"])
        self._statistics.load_state_dict(data["statistics"])
        torch.set_rng_state(data["random"][0])
        np.random.set_state(data["random"][1])  # noqa: NPY002 - what the library draws from
        model.action_space.np_random.bit_generator.state = data["actions"]
        self.steps = data["steps"]


_BUFFER = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "pos",
           "full")  # fmt: skip


class _Replay(ReplayBuffer):
    """The library's buffer, without the steps in which a simulation diverged."""

    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        rows = np.arange(self.n_envs)
        good = np.array([not info.get("diverged", False) for info in infos])
        if not good.all():
            if not good.any():
                return
            # a row of the buffer holds a step of each environment: another's stands in
            rows = np.where(good, rows, np.flatnonzero(good)[0])
            obs, next_obs, action, reward, done = (
                array[rows] for array in (obs, next_obs, action, reward, done)
            )
        super().add(obs, next_obs, action, reward, done, [infos[row] for row in rows])


class _Note(BaseCallback):
    """Passes each step's rewards to the statistics."""

    def __init__(self, statistics: EpisodeStatistics):
        super().__init__()
        self._statistics = statistics

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        ended = {
            key: np.array([info.get(key, False) for info in infos])
            for key in ("success", "diverged")
        }
        self._statistics.add(self.locals["rewards"], self.locals["dones"], ended)
        return True
