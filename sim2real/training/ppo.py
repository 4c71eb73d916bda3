"""PPO: rsl_rl's algorithm, models and storage on our environment."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, final

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from sim2real.envs.rsl_rl import RslRlEnv
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.training.job import PPOSettings
from sim2real.training.policy import Policy
from sim2real.training.statistics import EpisodeStatistics
from sim2real.training.trainer import OTHER_NETWORKS, Trainer


@final
class PPOTrainer(Trainer):
    """Proximal policy optimization (Schulman et al. 2017) with a privileged critic.

    The library's runner is not used: a truncated episode is bootstrapped here from the value of
    its own last state, and the whole state can be saved and continued exactly.
    """

    def __init__(self, env: RobotVectorEnv, settings: PPOSettings, seed: int, nthread: int = 1):
        """Make a trainer that updates its networks on `nthread` threads."""
        torch.manual_seed(seed)
        self._settings, self._nthread = settings, nthread
        self.env, self._env = env, RslRlEnv(env)
        self._statistics = EpisodeStatistics(env.num_envs)
        self._algorithm = _make_algorithm(self._env, settings)
        self._algorithm.train_mode()
        self.steps = 0

    def iterate(self) -> dict[str, float]:  # noqa: D102
        with torch.inference_mode():
            for _ in range(self._settings.rollout_steps):
                self._step()
            self._algorithm.compute_returns(self._env.get_observations())
        with _threads(self._nthread):
            losses = self._algorithm.update()
        self.steps += self._settings.rollout_steps * self._env.num_envs
        learning = {
            "learning_rate": self._algorithm.learning_rate,
            "action_std": self._algorithm.actor.output_std.mean().item(),
        }
        return self._statistics.summary() | losses | learning

    def policy(self) -> Policy:  # noqa: D102
        actor = self._algorithm.actor
        sizes = (actor.obs_dim, *self._settings.hidden, self._env.num_actions)
        policy = Policy(sizes, self._settings.activation)
        policy.copy_layers(actor.mlp)
        policy.mean.copy_(actor.obs_normalizer.mean)  # type: ignore[operator]
        policy.scale.copy_(actor.obs_normalizer.std + actor.obs_normalizer.eps)  # type: ignore[operator]
        return policy.eval()

    def start_from(self, data: dict[str, Any]) -> None:  # noqa: D102
        actor, critic = self._algorithm.actor, self._algorithm.critic
        nobs = actor.obs_dim
        try:
            actor.load_state_dict(data["algorithm"]["actor_state_dict"])
            given = data["algorithm"]["critic_state_dict"]
            critic.load_state_dict(_refit(given, critic.state_dict(), nobs))
        except (KeyError, RuntimeError):
            raise ConfigError(OTHER_NETWORKS) from None

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "algorithm": self._algorithm.save(),
            "env": self.env.state_dict(),
            "observations": self._env.observations.to_dict(),
            "statistics": self._statistics.state_dict(),
            "torch": torch.get_rng_state(),
            "steps": self.steps,
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._algorithm.load(data["algorithm"], None, strict=True)
        self.env.load_state_dict(data["env"])
        self._env.observations = TensorDict(data["observations"], [self._env.num_envs])  # type: ignore[arg-type]
        self._statistics.load_state_dict(data["statistics"])
        torch.set_rng_state(data["torch"])
        self.steps = data["steps"]

    def _step(self) -> None:
        algorithm = self._algorithm
        actions = algorithm.act(self._env.get_observations())
        observations, reward, done, extras = self._env.step(actions)
        self._statistics.add(reward.numpy(), done.numpy().astype(bool), extras["infos"])
        truncated = extras["truncated"]
        if truncated.any():
            value = algorithm.critic(extras["final_observations"])[:, 0]
            reward = reward + self._settings.gamma * value * truncated
            if extras["diverged"].any():
                self._leave_out(extras["diverged"], reward)
        algorithm.process_env_step(observations, reward, done, {})

    def _leave_out(self, diverged: torch.Tensor, reward: torch.Tensor) -> None:
        """Make this step of the environments that `diverged` (n,) say nothing.

        Its return becomes the value of the state it began in, which is its episode's last good one:
        so the steps before it are bootstrapped from there. The step itself is not learned from.
        """
        values: Any = self._algorithm.transition.values
        reward[diverged] = values[diverged, 0]
        storage: Any = self._algorithm.storage
        storage.leave_out(diverged)


def _make_algorithm(env: RslRlEnv, settings: PPOSettings) -> PPO:
    observations = env.get_observations()
    groups = {"actor": ["policy"], "critic": ["policy"]}
    if settings.privileged_critic and observations["privileged"].shape[1]:
        groups["critic"] = ["policy", "privileged"]
    model: dict[str, Any] = {
        "hidden_dims": list(settings.hidden),
        "activation": settings.activation,
        "obs_normalization": True,
    }
    noise = {
        "class_name": "GaussianDistribution",
        "init_std": settings.init_std,
        "std_type": "log",
        # beyond 1 almost every action is clipped, and the entropy bonus drives it on
        "std_range": (settings.min_std, 1.0),
    }
    actor = MLPModel(
        observations, groups, "actor", env.num_actions, **model, distribution_cfg=noise
    )
    critic = MLPModel(observations, groups, "critic", 1, **model)
    storage = _Rollout(
        "rl", env.num_envs, settings.rollout_steps, observations, [env.num_actions], "cpu"
    )
    algorithm = PPO(
        actor,
        critic,
        storage,
        num_learning_epochs=settings.epochs,
        num_mini_batches=settings.minibatches,
        clip_param=settings.clip,
        gamma=settings.gamma,
        lam=settings.lam,
        entropy_coef=settings.entropy,
        learning_rate=settings.learning_rate,
        desired_kl=settings.desired_kl,
        device="cpu",
    )
    # the library's own choice takes each parameter in turn, a seventh of the update
    parameters = chain(actor.parameters(), critic.parameters())
    algorithm.optimizer = torch.optim.Adam(parameters, settings.learning_rate, fused=True)
    return algorithm


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Give torch `n` threads while the simulator waits; one otherwise, they fight for the cores."""
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(1)


def _refit(
    given: dict[str, torch.Tensor], own: dict[str, torch.Tensor], nobs: int
) -> dict[str, torch.Tensor]:
    """Return a critic's weights for other privileged inputs, which say nothing at first.

    The first `nobs` inputs are the policy's, and stay; the parameters of the worlds differ from
    one distribution to another.
    """
    fitted = dict(given)
    for name, value in own.items():
        if given[name].shape != value.shape:
            fresh = torch.zeros_like(value) if name.endswith("weight") else value.clone()
            fresh[:, :nobs] = given[name][:, :nobs]
            fitted[name] = fresh
    return fitted


class _Rollout(RolloutStorage):
    """The library's storage, shuffled once an update: its minibatches are the same every epoch.

    Steps that were left out are in none of them.
    """

    _left_out: torch.Tensor | None = None

    def leave_out(self, environments: torch.Tensor) -> None:
        """Leave the step that is added next out, of these environments (n,)."""
        if self._left_out is None:
            size = (self.num_transitions_per_env, self.num_envs)
            self._left_out = torch.zeros(size, dtype=torch.bool)
        self._left_out[self.step] = environments

    def clear(self) -> None:
        super().clear()
        self._left_out = None

    def mini_batch_generator(
        self, num_mini_batches: int, num_epochs: int = 8
    ) -> Generator[Any, None, None]:
        order, size = self._order(num_mini_batches)

        def cut(values: Any) -> Any:
            return values.flatten(0, 1)[order].split(size)

        columns = {
            "observations": self.observations,
            "actions": self.actions,
            "values": self.values,
            "advantages": self.advantages,
            "returns": self.returns,
            "old_actions_log_prob": self.actions_log_prob,
        }
        rows = zip(*(cut(column) for column in columns.values()), strict=True)
        params = zip(*(cut(param) for param in self.distribution_params or ()), strict=True)
        batches = [
            self.Batch(**dict(zip(columns, row, strict=True)), old_distribution_params=param)
            for row, param in zip(rows, params, strict=True)
        ]
        for _ in range(num_epochs):
            yield from batches

    def _order(self, num_mini_batches: int) -> tuple[torch.Tensor, int]:
        """Return the shuffled rows of all minibatches, and how many are in one."""
        if self._left_out is None:
            size = self.num_envs * self.num_transitions_per_env // num_mini_batches
            return torch.randperm(num_mini_batches * size, device=self.device), size
        rows = torch.nonzero(~self._left_out.flatten())[:, 0]
        size = len(rows) // num_mini_batches
        return rows[torch.randperm(len(rows))[: num_mini_batches * size]], size
