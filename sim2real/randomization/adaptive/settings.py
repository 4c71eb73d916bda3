"""The `[adaptive]` table of a launch file: what adapts while a policy learns."""

from dataclasses import dataclass, field
from typing import Literal

from sim2real.randomization.adaptive.adr import ADR, ADRSettings
from sim2real.randomization.adaptive.algorithm import Adaptive
from sim2real.randomization.adaptive.bayrn import BayRnSettings
from sim2real.randomization.adaptive.box import Box
from sim2real.randomization.adaptive.doraemon import DORAEMON, DORAEMONSettings
from sim2real.randomization.adaptive.epopt import EPOptSettings


@dataclass(frozen=True, kw_only=True)
class AdaptiveSettings:
    """Randomization that adapts to what the policy can do."""

    algorithm: Literal["adr", "doraemon", "epopt", "bayrn"] | None = None
    """Boundaries that move out, the largest entropy, learning from the worst episodes, or a search
    of ranges that does a whole training for each."""
    parameters: tuple[str, ...] = ()
    """Those whose ranges move, within the declared ones; all that can if not given."""
    adr: ADRSettings = field(default_factory=ADRSettings)
    doraemon: DORAEMONSettings = field(default_factory=DORAEMONSettings)
    epopt: EPOptSettings = field(default_factory=EPOptSettings)
    bayrn: BayRnSettings = field(default_factory=BayRnSettings)

    @property
    def moves_ranges(self) -> bool:
        """Whether the algorithm changes what worlds are drawn from while a policy learns."""
        return self.algorithm in ("adr", "doraemon")

    @property
    def worst(self) -> EPOptSettings | None:
        """Which episodes the policy learns from, if not from all."""
        return self.epopt if self.algorithm == "epopt" else None

    def make(self, box: Box) -> Adaptive:
        """Return the algorithm that moves ranges in `box`."""
        return ADR(box, self.adr) if self.algorithm == "adr" else DORAEMON(box, self.doraemon)
