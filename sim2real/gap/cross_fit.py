"""Δr of every window by classifiers that have not seen its stretch of the log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.gap.estimator import EstimatorSettings, GapEstimator
from sim2real.gap.replay import Comparison
from sim2real.gap.scores import auc
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

FOLDS = 5
STEPS = 250
"""Of each fold's classifiers."""
SETTINGS = EstimatorSettings(
    noise=0.2, surprise=True, members=2, batch=128, hidden=(48, 48), learning_rate=3e-3
)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of `n` windows by which log and simulation are told apart, held out."""

    target: Array
    """Of the log (n,)."""
    source: Array
    """Of the simulation (n,)."""

    @property
    def auc(self) -> float:
        """The probability that a window of the log scores above a simulated one."""
        return auc(self.source, self.target)


@final
class CrossFit:
    """Classifiers for each of `FOLDS` parts of the log, fitted to the other parts."""

    def __init__(
        self, features: Array, comparison: Comparison, block: NDArray[np.int64], seed: int
    ):
        """Fit them.

        Args:
            features: of the windows' states and commands (n, d).
            comparison: what is missing in them, in the log and in simulations.
            block: which stretch of time each window is of (n,): a stretch is in one part.
            seed: of the classifiers.
        """
        self._features, self._comparison = features, comparison
        self.fold = block % FOLDS
        """In which part each window is held out (n,)."""
        self._estimators = [self._fit(fold, seed + fold) for fold in range(FOLDS)]

    def nats(self) -> Array:
        """Return Δr of the log's windows (n,): positive where the simulation would not do this."""
        return self._each(lambda estimator, rows: estimator.delta_r(rows), self._features,
                          self._comparison.real)  # fmt: skip

    def scores(self) -> Scores:
        """Return the windows' scores."""
        return self._scores(self._features, self._comparison.real, self._comparison.simulated[0])

    def without_features(self, columns: tuple[int, ...], rng: np.random.Generator) -> Scores:
        """Return the scores after some features have been shuffled among the windows."""
        places = self._features.copy()
        places[:, columns] = rng.permutation(places[:, columns])
        return self._scores(places, self._comparison.real, self._comparison.simulated[0])

    def without_joint(self, joint: int, rng: np.random.Generator) -> Scores:
        """Return the scores after what is missing at a joint has been shuffled, across domains."""
        missing = np.concatenate([self._comparison.real, self._comparison.simulated[0]])
        missing[:, joint] = rng.permutation(missing[:, joint])
        real, simulated = np.split(missing, 2)
        return self._scores(self._features, real, simulated)

    def _scores(self, places: Array, real: Array, simulated: Array) -> Scores:
        return Scores(target=self._score(places, real), source=self._score(places, simulated))

    def _score(self, places: Array, missing: Array) -> Array:
        return self._each(lambda estimator, rows: estimator.rank(rows), places, missing)

    def _each(
        self, value: Callable[[GapEstimator, Transitions], Array], places: Array, missing: Array
    ) -> Array:
        """Return a value of each window (n,) by the classifiers that have not seen it."""
        values = np.empty(len(places))
        for fold, estimator in enumerate(self._estimators):
            rows = self.fold == fold
            if rows.any():
                values[rows] = value(estimator, _transitions(places[rows], missing[rows]))
        return values

    def _fit(self, fold: int, seed: int) -> GapEstimator:
        rows = self.fold != fold
        places, missing = self._features[rows], self._comparison
        source = Transitions.join([_transitions(places, draw[rows]) for draw in missing.simulated])
        target = _transitions(places, missing.real[rows])
        sizes = (places.shape[1], 0, missing.real.shape[1])
        estimator = GapEstimator(sizes, SETTINGS, seed)
        estimator.fit(source, target, STEPS)
        return estimator


def _transitions(places: Array, missing: Array) -> Transitions:
    """Return transitions whose change is what the simulation did not foresee.

    Given state and command, that tells as much as the next state does.
    """
    return Transitions(state=places, action=np.zeros((len(places), 0)), change=missing)
