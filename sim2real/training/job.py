"""A training job: what a launch file says."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sim2real import config, shipped
from sim2real.errors import ConfigError
from sim2real.gap.settings import GapSettings
from sim2real.randomization.adaptive.settings import AdaptiveSettings


def _require(
    what: str, settings: Any, names: tuple[str, ...], fits: Callable[[Any], bool], must_be: str
) -> None:
    """Raise ConfigError if a number of `settings`, or one in a list of it, does not fit."""
    for name in names:
        value = getattr(settings, name)
        items = value if isinstance(value, tuple) else (value,)
        if not items or not all(map(fits, items)):
            raise ConfigError(f"{what}: {name} = {value} must be {must_be}")


def _is_count(value: int) -> bool:
    return value >= 1


def _is_positive(value: float) -> bool:
    return 0.0 < value < math.inf


def _is_share(value: float) -> bool:
    return 0.0 <= value <= 1.0


@dataclass(frozen=True, kw_only=True)
class PPOSettings:
    """Proximal policy optimization, by rsl_rl."""

    steps: int = 2_000_000
    """Control steps in all environments together."""
    num_envs: int = 256
    rollout_steps: int = 32
    """Control steps of each environment between updates."""
    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["elu", "relu", "tanh"] = "elu"
    init_std: float = 0.6
    """Standard deviation of the actions at the start ..."""
    min_std: float = 0.02
    """... and at least: a reward that charges for noise would end the exploration early."""
    learning_rate: float = 1e-3
    desired_kl: float = 0.01
    """The learning rate follows it."""
    epochs: int = 5
    minibatches: int = 4
    gamma: float = 0.99
    lam: float = 0.95
    clip: float = 0.2
    entropy: float = 0.002
    privileged_critic: bool = True
    """Whether the critic sees the randomized parameters."""

    def __post_init__(self) -> None:
        counts = ("steps", "num_envs", "rollout_steps", "hidden", "epochs", "minibatches")
        _require("ppo", self, counts, _is_count, "at least 1")
        sizes = ("init_std", "min_std", "learning_rate", "desired_kl", "clip")
        _require("ppo", self, sizes, _is_positive, "finite and above 0")
        _require("ppo", self, ("gamma", "lam"), _is_share, "in [0, 1]")
        _require("ppo", self, ("entropy",), math.isfinite, "finite")
        if self.minibatches > self.num_envs * self.rollout_steps:
            raise ConfigError(
                f"ppo: minibatches = {self.minibatches} are more than the num_envs x rollout_steps"
                f" = {self.num_envs * self.rollout_steps} samples between updates"
            )


@dataclass(frozen=True, kw_only=True)
class SACSettings:
    """Soft actor-critic, by stable-baselines3."""

    steps: int = 200_000
    """Control steps in all environments together."""
    num_envs: int = 16
    iteration_steps: int = 64
    """Control steps of each environment in an iteration."""
    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 1e-3
    batch_size: int = 256
    buffer_size: int = 300_000
    learning_starts: int = 2_000
    gamma: float = 0.99
    tau: float = 0.01
    gradient_steps: int = 4
    """Updates for each control step of all environments."""
    train_every: int = 1
    """Control steps between updates."""
    noise: Literal["white", "state_dependent"] = "white"
    """What explores. State-dependent noise is a function of the state that is drawn anew after each
    update (gSDE, Raffin et al. 2022): smooth, where a rate of 100 Hz averages white noise away."""

    def __post_init__(self) -> None:
        counts = ("steps", "num_envs", "iteration_steps", "hidden", "batch_size", "gradient_steps")
        _require("sac", self, (*counts, "train_every"), _is_count, "at least 1")
        _require("sac", self, ("learning_rate",), _is_positive, "finite and above 0")
        _require("sac", self, ("gamma", "tau"), _is_share, "in [0, 1]")
        if not 0 <= self.learning_starts < self.buffer_size:
            raise ConfigError(
                f"sac: learning_starts = {self.learning_starts} must be in [0, buffer_size ="
                f" {self.buffer_size})"
            )
        if self.iteration_steps % self.train_every:
            raise ConfigError(
                f"sac: iteration_steps = {self.iteration_steps} must be a multiple of train_every ="
                f" {self.train_every}"
            )


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to train, on which robot, for how long."""

    robot: str
    """A shipped robot's name, or a folder with a robot.toml."""
    algorithm: Literal["ppo", "sac"] = "ppo"
    steps: int | None = None
    """Control steps in all environments together; the algorithm's own number if not given."""
    seed: int = 0
    start: str | None = None
    """A run's folder whose networks to start from: fine-tuning under another distribution."""
    explore_anew: bool = False
    """With `start`: explore as widely as at the beginning. A policy that is sure of itself finds
    no other way on the robot that it is tuned for."""
    ranges: str | None = None
    """A randomize.toml: drawn instead of the robot's ranges for its parameters."""
    posterior: str | None = None
    """A calibration's posterior.toml: drawn instead of the robot's ranges for its parameters."""
    posterior_share: float = 1.0
    """Share of the worlds that are drawn from the posterior; the rest from the robot's ranges."""
    randomized: bool = True
    """Draw a new robot for each episode; without it, train on the nominal one."""
    enveloped: bool = False
    """Train within the envelope of the robot's runtime, which limits commands and ends runs."""
    privileged: tuple[str, ...] | None = None
    """The drawn parameters that PPO's critic sees: names, or joint.*.damping; all if not given."""
    log_worlds: bool = True
    """Write the drawn parameters of each episode, with its return, to the run's worlds folder."""
    nthread: int = 2
    """Threads of the simulator and, in turn with it, of PPO's update."""
    evaluate_every: int = 10
    """Iterations between evaluations; the best policy on them is kept."""
    evaluation_envs: int = 64
    adaptive: AdaptiveSettings = field(default_factory=AdaptiveSettings)
    gap: GapSettings = field(default_factory=GapSettings)
    ppo: PPOSettings = field(default_factory=PPOSettings)
    sac: SACSettings = field(default_factory=SACSettings)

    def __post_init__(self) -> None:
        counts = {
            "steps": self.budget,
            "nthread": self.nthread,
            "evaluate_every": self.evaluate_every,
            "evaluation_envs": self.evaluation_envs,
        }
        if self.explore_anew and self.start is None:
            raise ConfigError(
                "explore_anew: there is nothing to forget: give start = a run's folder"
            )
        if not 0.0 <= self.posterior_share <= 1.0:
            raise ConfigError(f"posterior_share: {self.posterior_share} must be in [0, 1]")
        for name, count in counts.items():
            if count < 1:
                raise ConfigError(f"{name}: {count} must be at least 1")
        if self.adaptive.algorithm not in (None, "epopt") and not self.randomized:
            raise ConfigError(f"adaptive: {self.adaptive.algorithm} needs randomized = true")
        if self.gap.method is not None and self.adaptive.worst is not None:
            raise ConfigError(
                "gap: epopt learns from chosen episodes already: leave one of them out"
            )
        if self.gap.method == "mix" and self.algorithm != "sac":
            raise ConfigError(
                'gap: mix needs algorithm = "sac": PPO learns from what its present policy did only'
            )
        if self.adaptive.worst is not None and self.algorithm != "ppo":
            raise ConfigError(
                'adaptive: epopt needs algorithm = "ppo": a replay buffer mixes all episodes'
            )

    @property
    def settings(self) -> PPOSettings | SACSettings:
        """The algorithm's own."""
        return self.ppo if self.algorithm == "ppo" else self.sac

    @property
    def budget(self) -> int:
        """Control steps in all environments together."""
        return self.settings.steps if self.steps is None else self.steps


def find_job(target: str) -> Job:
    """Return the job of a TOML file, a run's folder, or a robot (its launch file, or defaults)."""
    path = shipped.find_job_file(target)
    return Job(robot=target) if path is None else config.load(Job, path)
