"""SAC: stable-baselines3's algorithm on our environment."""

from typing import Any, final

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback

from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.training.correction import RoundCorrection
from sim2real.training.job import SACSettings
from sim2real.training.policy import Policy
from sim2real.training.replay import Replay
from sim2real.training.statistics import EpisodeStatistics
from sim2real.training.trainer import OTHER_NETWORKS, Trainer


@final
class SACTrainer(Trainer):
    """Soft actor-critic (Haarnoja et al. 2018)."""

    def __init__(
        self,
        env: RobotVectorEnv,
        settings: SACSettings,
        seed: int,
        *,
        correction: RoundCorrection | None = None,
    ):
        """Make a trainer.

        Args:
            env: what to learn in.
            settings: of the algorithm.
            seed: of networks, actions and batches.
            correction: of what is learned from, for the gap to a target.
        """
        self._settings, self.env, self._correction = settings, env, correction
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
            replay_buffer_class=Replay,
            use_sde=smooth,
            use_sde_at_warmup=smooth,
            policy_kwargs={"net_arch": list(settings.hidden)}
            | ({"clip_mean": 0.0} if smooth else {}),  # the policy that is kept has no clip
            seed=seed,
            device="cpu",
        )
        env.single_action_space.seed(seed)
        if correction is not None:
            self._buffer.correct(correction)
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
        return self._statistics.summary() | losses | self._learn_gap()

    @property
    def _buffer(self) -> Replay:
        buffer = self._model.replay_buffer
        assert isinstance(buffer, Replay)  # SAC makes it on construction
        return buffer

    def _learn_gap(self) -> dict[str, float]:
        """Let the correction learn from the iteration; return what to log."""
        if self._correction is None:
            return {}
        logged = self._correction.learn(self._explore, *self._buffer.take_round())
        self._buffer.add_target(self._correction.played)
        return logged

    def _explore(self, observation: np.ndarray) -> np.ndarray:
        """Return actions (n, ncommand) as the policy draws them in training."""
        return self._model.predict(observation, deterministic=False)[0]

    def policy(self) -> Policy:  # noqa: D102
        actor = self._model.actor
        shape = self.env.single_observation_space.shape or ()
        sizes = (*shape, *self._settings.hidden, *(self.env.single_action_space.shape or ()))
        policy = Policy(sizes, "relu", squash=True)
        policy.copy_layers(actor.latent_pi, actor.mu)
        return policy.eval()

    def start_from(  # noqa: D102
        self, data: dict[str, Any], *, explore_anew: bool = False
    ) -> None:
        # the entropy's coefficient is in none of the parameters: without this, too, it starts anew
        if not explore_anew and "log_entropy_coefficient" in data:
            with torch.no_grad():
                self._model.log_ent_coef.copy_(data["log_entropy_coefficient"])  # type: ignore[union-attr]
        try:
            self._model.set_parameters(data["parameters"])
        except (KeyError, RuntimeError, ValueError):
            raise ConfigError(OTHER_NETWORKS) from None

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        model, buffer = self._model, self._buffer
        return {
            "parameters": model.get_parameters(),
            "log_entropy_coefficient": model.log_ent_coef,  # in no state_dict of the library's
            "buffer": buffer.state_dict(),
            "last": (model._last_obs, model._last_episode_starts),
            "env": self.env.state_dict(),
            "statistics": self._statistics.state_dict(),
            "random": (torch.get_rng_state(), np.random.get_state()),  # noqa: NPY002
            "actions": model.action_space.np_random.bit_generator.state,
            "steps": self.steps,
            "correction": None if self._correction is None else self._correction.state_dict(),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        model = self._model
        model.set_parameters(data["parameters"])
        with torch.no_grad():
            model.log_ent_coef.copy_(data["log_entropy_coefficient"])  # type: ignore[union-attr]
        model.num_timesteps = data["steps"]
        self._buffer.load_state_dict(data["buffer"])
        model._last_obs, model._last_episode_starts = data["last"]
        self.env.load_state_dict(data["env"])
        self._statistics.load_state_dict(data["statistics"])
        torch.set_rng_state(data["random"][0])
        np.random.set_state(data["random"][1])  # noqa: NPY002 - what the library draws from
        model.action_space.np_random.bit_generator.state = data["actions"]
        self.steps = data["steps"]
        if self._correction is not None:
            self._correction.load_state_dict(data["correction"])


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
