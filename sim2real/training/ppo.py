"""PPO: rsl_rl's algorithm, models and storage on our environment."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from sim2real.envs.rsl_rl import RslRlEnv
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.randomization.adaptive.epopt import EPOptSettings, worst
from sim2real.training.correction import RoundCorrection
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

    def __init__(
        self,
        env: RobotVectorEnv,
        settings: PPOSettings,
        seed: int,
        nthread: int = 1,
        *,
        worst: EPOptSettings | None = None,
        correction: RoundCorrection | None = None,
    ):
        """Make a trainer.

        Args:
            env: what to learn in.
            settings: of the algorithm.
            seed: of networks, actions and minibatches.
            nthread: threads that update the networks.
            worst: learn from whole episodes, and only from those of the lowest returns.
            correction: of what is learned from, for the gap to a target.
        """
        torch.manual_seed(seed)
        self._settings, self._nthread, self._worst = settings, nthread, worst
        self._correction = correction
        self.env, self._env = env, RslRlEnv(env)
        self._statistics = EpisodeStatistics(env.num_envs)
        self._algorithm = _make_algorithm(self._env, settings)
        self._algorithm.train_mode()
        self.steps = 0

    def iterate(self) -> dict[str, float]:  # noqa: D102
        with torch.inference_mode():
            if self._worst is None:
                steps, chosen = self._settings.rollout_steps, {}
                # without the value that is added where an episode runs out of time
                earned = [self._step()[0] for _ in range(steps)]
                if self._correction is not None:
                    chosen = self._correct(self._correction, torch.stack(earned).numpy())
                self._algorithm.compute_returns(self._env.get_observations())
            else:
                steps, chosen = self._collect_episodes(self._worst)
        seen = self._algorithm.storage.observations
        with _threads(self._nthread):
            losses = self._algorithm.update()
        if self._worst is not None and self.steps < self._worst.burn_in:
            self._normalize_as(seen[:steps])
        self.steps += steps * self._env.num_envs
        learning = {
            "learning_rate": self._algorithm.learning_rate,
            "action_std": self._algorithm.actor.output_std.mean().item(),
        }
        return self._statistics.summary() | losses | learning | chosen

    def policy(self) -> Policy:  # noqa: D102
        actor = self._algorithm.actor
        sizes = (actor.obs_dim, *self._settings.hidden, self._env.num_actions)
        policy = Policy(sizes, self._settings.activation)
        policy.copy_layers(actor.mlp)
        policy.mean.copy_(actor.obs_normalizer.mean)  # type: ignore[operator]
        policy.scale.copy_(actor.obs_normalizer.std + actor.obs_normalizer.eps)  # type: ignore[operator]
        return policy.eval()

    def start_from(  # noqa: D102
        self, data: dict[str, Any], *, explore_anew: bool = False
    ) -> None:
        actor, critic = self._algorithm.actor, self._algorithm.critic
        nobs = actor.obs_dim
        try:
            actor.load_state_dict(data["algorithm"]["actor_state_dict"])
            given = data["algorithm"]["critic_state_dict"]
            critic.load_state_dict(_refit(given, critic.state_dict(), nobs))
        except (KeyError, RuntimeError):
            raise ConfigError(OTHER_NETWORKS) from None
        if explore_anew:
            spread: Any = actor.distribution
            with torch.no_grad():
                spread.log_std_param.fill_(math.log(self._settings.init_std))

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "algorithm": self._algorithm.save(),
            "env": self.env.state_dict(),
            "observations": self._env.observations.to_dict(),
            "statistics": self._statistics.state_dict(),
            "torch": torch.get_rng_state(),
            "steps": self.steps,
            "correction": None if self._correction is None else self._correction.state_dict(),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._algorithm.load(data["algorithm"], None, strict=True)
        self.env.load_state_dict(data["env"])
        self._env.observations = TensorDict(data["observations"], [self._env.num_envs])  # type: ignore[arg-type]
        self._statistics.load_state_dict(data["statistics"])
        torch.set_rng_state(data["torch"])
        self.steps = data["steps"]
        if self._correction is not None:
            self._correction.load_state_dict(data["correction"])

    def _correct(
        self, correction: RoundCorrection, reward: NDArray[np.float32]
    ) -> dict[str, float]:
        """Correct the rollout, which earned `reward` (nstep, n); return what to log."""
        storage: Any = self._algorithm.storage
        steps, good = correction.take()
        shape = good.shape
        with torch.inference_mode(False):  # its networks learn here
            logged = correction.learn(self._explore, steps, good, reward)
        bonus = torch.from_numpy(correction.gap.bonus(steps).reshape(shape) * good)
        storage.rewards += bonus.float()[..., None]
        weights = correction.gap.weights(steps)
        if weights is not None:
            storage.weigh(torch.from_numpy(weights.reshape(shape) * good).float())
        return logged

    def _explore(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return actions (n, ncommand) as the policy draws them in training."""
        groups = {"policy": torch.from_numpy(observation)}
        observations = TensorDict(groups, batch_size=[len(observation)])  # type: ignore[arg-type]
        with torch.inference_mode():
            return self._algorithm.actor(observations, stochastic_output=True).numpy()

    def _collect_episodes(self, settings: EPOptSettings) -> tuple[int, dict[str, float]]:
        """Fill the storage with an episode of each environment, and leave out all but the worst.

        The normalization holds still meanwhile. An episode is long enough for it to drift, and a
        policy that is another one from step to step is not the one whose actions are weighed; what
        the worst few teach is not enough to follow it, either.

        Returns the control steps of the longest episode, and what to log.
        """
        env = self._env
        for normalizer in self._normalizers():
            normalizer.eval()
        env.restart()
        self._statistics.restart()
        storage = _make_storage(env, self.env.max_steps)
        self._algorithm.storage = storage
        returns, played = torch.zeros(env.num_envs), []
        running, diverged = returns == 0, returns != 0
        while running.any():
            reward, done, extras = self._step()
            played.append(running)
            returns += reward * running
            diverged |= running & extras.get("diverged", torch.tensor(False))
            running = running & (done == 0)
        storage.shorten()
        self._algorithm.compute_returns(env.get_observations())
        epsilon = settings.epsilon if self.steps >= settings.burn_in else 1.0
        chosen = _worst(returns, diverged, epsilon)
        storage.keep(torch.stack(played), chosen)
        means = {"epopt/worst": returns[chosen].mean(), "epopt/all": returns.mean()}
        return len(played), {name: value.item() for name, value in means.items()}

    def _normalize_as(self, observations: TensorDict) -> None:
        """Take `observations` (nstep, n) into the normalization."""
        for normalizer in self._normalizers():
            normalizer.train()
        for model in (self._algorithm.actor, self._algorithm.critic):
            model.update_normalization(observations.flatten(0, 1))

    def _normalizers(self) -> tuple[torch.nn.Module, torch.nn.Module]:
        actor, critic = self._algorithm.actor, self._algorithm.critic
        return actor.obs_normalizer, critic.obs_normalizer  # type: ignore[return-value]

    def _step(self) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Take one step; return its rewards, which episodes ended, and the environment's extras."""
        algorithm = self._algorithm
        actions = algorithm.act(self._env.get_observations())
        observations, earned, done, extras = self._env.step(actions)
        self._statistics.add(earned.numpy(), done.numpy().astype(bool), extras["infos"])
        truncated, reward = extras["truncated"], earned
        if truncated.any():
            value = algorithm.critic(extras["final_observations"])[:, 0]
            reward = earned + self._settings.gamma * value * truncated
            if extras["diverged"].any():
                self._leave_out(extras["diverged"], reward)
        algorithm.process_env_step(observations, reward, done, {})
        return earned, done, extras

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
    algorithm = PPO(
        actor,
        critic,
        _make_storage(env, settings.rollout_steps),
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


def _make_storage(env: RslRlEnv, steps: int) -> "_Rollout":
    return _Rollout("rl", env.num_envs, steps, env.get_observations(), [env.num_actions], "cpu")


def _worst(returns: torch.Tensor, diverged: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return which episodes (n,) to learn from: a return that ended in divergence says nothing."""
    if diverged.all():
        return diverged
    chosen = ~diverged
    chosen[~diverged] = torch.from_numpy(worst(returns[~diverged].double().numpy(), epsilon))
    return chosen


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

    Steps that were left out are in none of them; others may be in several, by their weights.
    """

    _left_out: torch.Tensor | None = None
    _weights: torch.Tensor | None = None

    def leave_out(self, environments: torch.Tensor) -> None:
        """Leave the step that is added next out, of these environments (n,)."""
        if self._left_out is None:
            size = (self.num_transitions_per_env, self.num_envs)
            self._left_out = torch.zeros(size, dtype=torch.bool)
        self._left_out[self.step] = environments

    def weigh(self, weights: torch.Tensor) -> None:
        """Learn from each step in proportion to its weight (nstep, n): it is drawn as often."""
        self._weights = weights

    def clear(self) -> None:
        super().clear()
        self._left_out = self._weights = None

    def shorten(self) -> None:
        """Forget the room for steps that were not added."""
        size = self.num_transitions_per_env = self.step
        names = ("observations", "actions", "rewards", "dones", "values", "actions_log_prob",
                 "returns", "advantages")  # fmt: skip
        for name in names:
            setattr(self, name, getattr(self, name)[:size])
        self.distribution_params = tuple(param[:size] for param in self.distribution_params or ())
        if self._left_out is not None:
            self._left_out = self._left_out[:size]

    def keep(self, played: torch.Tensor, chosen: torch.Tensor) -> None:
        """Leave out all but the steps `played` (nstep, n) by the environments `chosen` (n,).

        Advantages are normalized as all of `played` are. Among the chosen, where nearly all went
        wrong, their own mean would make half of what they did seem worth repeating.
        """
        bad = torch.zeros_like(played) if self._left_out is None else self._left_out
        good = self.advantages[played & ~bad]
        self.advantages = (self.advantages - good.mean()) / (good.std(correction=0) + 1e-8)
        self._left_out = bad | ~(played & chosen)

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
        if self._weights is not None:
            size = self.num_envs * self.num_transitions_per_env // num_mini_batches
            drawn = torch.multinomial(self._weights.flatten(), num_mini_batches * size, True)
            return drawn, size
        if self._left_out is None:
            size = self.num_envs * self.num_transitions_per_env // num_mini_batches
            return torch.randperm(num_mini_batches * size, device=self.device), size
        rows = torch.nonzero(~self._left_out.flatten())[:, 0]
        size = max(1, len(rows) // num_mini_batches)
        return rows[torch.randperm(len(rows))[: num_mini_batches * size]], size
