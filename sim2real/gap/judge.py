"""What says how plausible a transition is on the target: two classifiers, or a representation."""

from abc import ABC, abstractmethod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.gap.estimator import EstimatorSettings, GapEstimator
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]


class Judge(ABC):
    """Values transitions. Each subclass is final."""

    @abstractmethod
    def learn(self, source: Transitions, target: Transitions, steps: int) -> dict[str, float]:
        """Learn from both domains; return what to log."""

    @abstractmethod
    def value(self, transitions: Transitions) -> tuple[Array, NDArray[np.bool_]]:
        """Return how plausible transitions are on the target, and where that is known, (n,) each.

        0 is as plausible as in the source, the more negative the less.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""

    @abstractmethod
    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


@final
class DomainJudge(Judge):
    """Δr of the two classifiers (Eysenbach et al. 2021)."""

    def __init__(self, sizes: tuple[int, int, int], settings: EstimatorSettings, seed: int):
        self._estimator = GapEstimator(sizes, settings, seed)

    def learn(  # noqa: D102
        self, source: Transitions, target: Transitions, steps: int
    ) -> dict[str, float]:
        fit = self._estimator.fit(source, target, steps)
        return {
            "sa_accuracy": fit.sa_accuracy,
            "sas_accuracy": fit.sas_accuracy,
            "scale": fit.scale,
            "shared": fit.shared,
        }

    def value(self, transitions: Transitions) -> tuple[Array, NDArray[np.bool_]]:  # noqa: D102
        estimate = self._estimator.estimate(transitions)
        return estimate.value, estimate.inside

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return self._estimator.state_dict()

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._estimator.load_state_dict(data)
