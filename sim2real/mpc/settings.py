"""Which planner, and how large: what options say."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PlannerSettings:
    """A planner; what is not given is the method's own default."""

    method: Literal["random", "cem", "icem", "mppi"] = "icem"
    """How the best actions are searched for."""
    horizon: int | None = None
    """Control steps that are looked ahead."""
    candidates: int | None = None
    """Action sequences in an iteration; of icem, in the first one."""
    std: float | None = None
    """Standard deviation of the actions, whose range is -1 to 1, where the search begins."""
    colour: float | None = None
    """Exponent of the noise's spectrum over time: 0 is white, 2 wanders."""
    iterations: int | None = None
    elites: int | None = None
    """Of cem and icem: the best candidates, which the next iteration is drawn around."""
    kept: int | None = None
    """Of icem: the elites that are tried again."""
    temperature: float | None = None
    """Of mppi: how little the better candidates count for more."""
    execute: Literal["mean", "best"] | None = None
    """Of icem: what becomes the plan."""
