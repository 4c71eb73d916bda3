"""The `[gap]` table of a training job."""

from dataclasses import dataclass, field
from typing import Any, Literal

from sim2real.errors import ConfigError
from sim2real.gap.estimator import EstimatorSettings

Method = Literal["reward", "weight", "filter", "par", "mix", "residual"]


@dataclass(frozen=True, kw_only=True)
class GapSettings:
    """What is done about the gap between the simulation and a target while a policy learns."""

    method: Method | None = None
    """`reward`: Δr is added to the reward (DARC). `weight`: what is learned from is drawn with
    probability exp(Δr). `filter`: only the most plausible share is learned from. `par`: what a
    representation learned on the target does not foresee is taken off the reward. `mix`: half of
    each batch is the target's (SAC). `residual`: forces that the simulation lacks are learned and
    act in it. Nothing, if not given."""
    target: str | None = None
    """The robot that is simulated in the place of the real one: a shipped name or a folder; the
    job's robot, if not given."""
    changed: dict[str, float] = field(default_factory=dict)
    """Parameters of the target that differ from its model."""
    engine: Literal["mujoco", "bullet"] = "mujoco"
    """That simulates the target. Bullet's contacts are others than MuJoCo's: the nearest that two
    simulations come to a simulation and reality."""
    task: dict[str, Any] = field(default_factory=dict)
    """Options of the task that differ on the target: where it is over, for one."""
    logs: tuple[str, ...] = ()
    """Recordings of the robot, instead of a target to act on."""
    recipe: str | None = None
    """How to read logs that are not the package's own: a recipe's name or folder."""
    target_steps: int = 10_000
    """Control steps that may be taken on the target in all, spread over the training."""
    source_per_target: int = 10
    """Source transitions that are kept for each of the target's, of the same age."""
    memory: int = 20_000
    """Target transitions that are kept."""
    scale: float | None = None
    """λ, which Δr is multiplied with; if not given, from the spread of Δr and the reward's size."""
    strength: float = 1.0
    """Spread of λ Δr, as a share of the reward's root mean square, that an automatic λ aims at."""
    clip: float = 10.0
    """Largest Δr that is believed [nat]."""
    warm_up: float = 0.3
    """Share of the training over which λ grows from 0 to its value: a policy that is held back
    before it can do anything does not learn its task."""
    keep: float = 0.5
    """Share of the transitions that `filter` keeps."""
    steps: int = 25
    """Steps of the classifiers for each round of the target's transitions."""
    report: str | None = None
    """The JSON of a gap report: exported policies carry its digest."""
    estimator: EstimatorSettings = field(default_factory=EstimatorSettings)

    def __post_init__(self) -> None:
        for name in ("target_steps", "source_per_target", "memory", "steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"gap: {name} = {getattr(self, name)} must be at least 1")
        for name in ("strength", "clip"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"gap: {name} = {getattr(self, name)} must be above 0")
        if not 0.0 < self.keep <= 1.0 or not 0.0 <= self.warm_up <= 1.0:
            raise ConfigError("gap: keep must be in (0, 1], warm_up in [0, 1]")
        if self.method is None:
            return
        to_act_on = (
            self.target is not None or bool(self.changed or self.task) or self.engine != "mujoco"
        )
        if self.logs and to_act_on:
            raise ConfigError("gap: give logs, or a target to act on, not both")
        if self.method == "mix" and self.logs:
            raise ConfigError("gap: mix learns from rewards, which logs do not hold: give a target")
        if not self.logs and not to_act_on:
            raise ConfigError(
                "gap: a target is missing: give target = a robot, changed = its parameters, task,"
                ' engine = "bullet", or logs = recordings of the real one'
            )
