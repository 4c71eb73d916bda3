"""What every answer to a dynamics gap does in a training."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.gap.settings import GapSettings
from sim2real.gap.target import Act, Target
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

FEWEST = 150
"""Target transitions before the first use."""


class Correction(ABC):
    """Collects transitions of the target and corrects what is learned. Each subclass is final.

    Once in each round of training: `learn`. Then, on transitions of the source, `bonus` for methods
    that change the reward, and `weights` for those that choose what is learned from.
    """

    settings: GapSettings
    target: Target
    ready: bool
    """Whether enough of the target has been seen."""

    def __init__(self, settings: GapSettings, target: Target, rounds: int):
        """Make a correction; `learn` will be called `rounds` times in the whole training."""
        self.settings, self.target, self.ready = settings, target, False
        self._share = settings.target_steps / max(1, rounds)
        self._owed = 0.0

    @abstractmethod
    def learn(
        self, act: Act, source: Transitions, reward: NDArray[Any], progress: float
    ) -> dict[str, float]:
        """Take a round's share of the target's steps and learn from them; return what to log.

        Args:
            act: the present policy, as it explores.
            source: what it did in the source in this round (n, ...).
            reward: what it earned there (n,).
            progress: share of the training that is over.
        """

    def bonus(self, transitions: Transitions) -> Array:
        """Return what is added to the rewards of source transitions (n,)."""
        return np.zeros(len(transitions))

    def weights(self, transitions: Transitions) -> Array | None:
        """Return how much each of the source transitions counts (n,); None if all alike."""
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""

    @abstractmethod
    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""

    def _collect(self, act: Act) -> Transitions | None:
        """Return what the target gave in this round; None if nothing."""
        self._owed += self._share
        new = self.target.collect(act, int(self._owed))
        if new is None or not len(new):
            return None
        self._owed = max(0.0, self._owed - len(new))
        return new
