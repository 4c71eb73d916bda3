"""What a dynamics model is trained on, what it is, and for how long: what a launch file says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sim2real import config, shipped
from sim2real.errors import ConfigError
from sim2real.meta.fit import FitSettings
from sim2real.meta.maml import InnerSettings
from sim2real.robot import Robot


@dataclass(frozen=True, kw_only=True)
class DynamicsSettings:
    """The network, and what it learns from."""

    hidden: tuple[int, ...] = (200, 200)
    activation: Literal["relu", "silu", "tanh"] = "silu"
    members: int = 1
    """Of an ensemble, each trained on its own draw of robots."""
    robots: int = 120
    """Simulated in each round, each in a world of its own ..."""
    seconds: float = 5.0
    """... for so long."""
    rounds: int = 1
    """Of collecting; the data of all rounds are kept, and the model learns from them again. Those
    after the first are driven by plans on the model so far, where it can be planned on."""

    def __post_init__(self) -> None:
        for name in ("members", "robots", "seconds", "rounds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"dynamics: {name} = {getattr(self, name)} must be above 0")
        if not self.hidden or min(self.hidden) < 1:
            raise ConfigError(f"dynamics: hidden = {self.hidden} must be sizes of at least 1")


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings:
    """How the model adapts."""

    method: Literal[
        "none",
        "none_gaussian",
        "fine_tune",
        "gradient",
        "last_layer",
        "drives",
        "recurrent",
        "history",
    ] = "last_layer"
    """`last_layer`: ridge regression on learned features. `drives`: the same, after it was solved
    for how strongly each drive acts. `gradient`: meta-learned gradient steps
    (GrBAL); `fine_tune`: the same steps on weights that were not learned for them. `recurrent`
    (ReBAL) and `history` (CaDM): a context that a network reads from the past. `none`: not at all;
    with `_gaussian` the model tells how sure it is (with members: PETS)."""
    window: int = 64
    """Transitions to adapt to."""
    strength: float = 10.0
    """How strongly the last layer is pulled to what it was; what the learning of it starts as."""
    context: int = 16
    """Size of a context."""
    inner: InnerSettings = field(default_factory=lambda: InnerSettings(learn_rates=True))
    """Of the gradient steps."""

    def __post_init__(self) -> None:
        for name in ("window", "strength", "context"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"adaptation: {name} = {getattr(self, name)} must be above 0")


@dataclass(frozen=True, kw_only=True)
class DynamicsJob:
    """A dynamics model to train."""

    robot: str
    """A shipped robot's name, or a folder with a robot.toml."""
    seed: int = 0
    control_hz: float | None = None
    """Rate at which the model steps and a planner on it acts; the robot's own if not given."""
    randomize: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Drawn instead of what the robot's own [randomize] says, if it says anything: weak or dead
    drives, payloads. In a file only."""
    nthread: int = 1
    """Threads of the simulator."""
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    adaptation: AdaptationSettings = field(default_factory=AdaptationSettings)
    fit: FitSettings = field(default_factory=FitSettings)

    def find_robot(self) -> Robot:
        """Return the robot at the job's rate with the job's randomization."""
        robot = shipped.find_robot(self.robot)
        if self.control_hz is not None:
            robot = replace(robot, control_hz=self.control_hz)
        if self.randomize:
            robot = replace(robot, randomize=dict(self.randomize), correlate=())
        return robot


def find_dynamics_job(target: str) -> DynamicsJob:
    """Return the job of a TOML file, a model's folder, or a robot (its launch file, or defaults).

    A robot's launch file is `launch/<robot>_dynamics.toml`.
    """
    path = shipped.find_job_file(target, "_dynamics")
    return DynamicsJob(robot=target) if path is None else config.load(DynamicsJob, path)
