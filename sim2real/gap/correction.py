"""A gap's correction of what a policy learns from, whatever algorithm learns."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import GapError
from sim2real.gap.judge import Judge
from sim2real.gap.memory import Memory
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import Act, Target
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

_FEWEST = 150
"""Target transitions before the first use."""
_SLOW = 0.9
"""Of a running mean, what stays in a round."""
_FIRST_STEPS = 5
"""Times as many steps of the classifiers in the first round."""
_MOST_WEIGHT = 10.0
_UNIT = 1.0
"""A spread of Δr below this is more of the classifiers' making than of the gap's [nat]."""


@final
class GapCorrection:
    """Collects transitions of the target, keeps the judge up to date, and corrects.

    Once in each round of training: `learn`. Then, on transitions of the source, `bonus` for
    methods that change the reward, and `weights` for those that choose what is learned from.
    """

    def __init__(
        self,
        settings: GapSettings,
        target: Target,
        judge: Judge,
        *,
        rounds: int,
        rng: np.random.Generator,
    ):
        """Make a correction.

        Args:
            settings: what is done.
            target: where its transitions come from.
            judge: what says how plausible a transition is on the target.
            rounds: how often `learn` will be called in the whole training.
            rng: chooses which source transitions are kept.
        """
        self.settings, self.target, self._judge, self._rng = settings, target, judge, rng
        self._share = settings.target_steps / max(1, rounds)
        self._owed = 0.0
        self._kept = Memory(settings.memory)
        self._sources = Memory(settings.memory * settings.source_per_target)
        self._spreads: dict[str, float] = {}
        self.ready = False
        """Whether the judge has seen enough of the target."""
        self.scale, self._grown = 0.0, 0.0
        """λ as it is now, and how much of it is."""

    def learn(
        self, act: Act, source: Transitions, reward: NDArray[Any], progress: float
    ) -> dict[str, float]:
        """Take a round's share of the target's steps and fit the judge; return what to log.

        Args:
            act: the present policy, as it explores.
            source: what it did in the source in this round (n, ...).
            reward: what it earned there (n,).
            progress: share of the training that is over.
        """
        settings = self.settings
        self._owed += self._share
        new = self.target.collect(act, int(self._owed))
        if new is not None and len(new):
            self._owed = max(0.0, self._owed - len(new))
            self._kept.add(new)
        count = len(new) if new is not None else settings.target_steps // 50
        rows = min(len(source), settings.source_per_target * count)
        if rows:
            self._sources.add(source[np.sort(self._rng.choice(len(source), rows, replace=False))])
        metrics = {"target_steps": float(self.target.steps)}
        if settings.method == "mix":  # nothing is judged
            return metrics
        if len(self._kept) < _FEWEST or not len(self._sources):
            return metrics
        steps = settings.steps if self.ready else _FIRST_STEPS * settings.steps
        try:
            metrics |= self._judge.learn(self._sources.transitions, self._kept.transitions, steps)
        except GapError:
            if self.ready:  # the policy has left what it shared with the target: it was told so
                return metrics | {"shared": 0.0}
            raise
        self.ready = True
        return metrics | self._tune(source, reward, progress)

    def bonus(self, transitions: Transitions) -> Array:
        """Return what is added to the rewards of source transitions (n,)."""
        if not self.ready or self.settings.method not in ("reward", "par"):
            return np.zeros(len(transitions))
        return self.scale * self.value(transitions)

    def weights(self, transitions: Transitions) -> Array | None:
        """Return how much each of the source transitions counts (n,); None if all alike.

        Of `filter`, 1 for those to learn from and 0 for the others.
        """
        if not self.ready or self.settings.method not in ("weight", "filter"):
            return None
        value = self.value(transitions)
        if self.settings.method == "filter":
            return (value >= np.quantile(value, 1.0 - self.settings.keep)).astype(float)
        weight = np.exp(np.clip(self._grown * value, -np.inf, np.log(_MOST_WEIGHT)))
        return np.maximum(weight, 1.0 / _MOST_WEIGHT)

    def value(self, transitions: Transitions) -> Array:
        """Return Δr (n,), clipped; where it is not known, nothing is to be gained."""
        value, known = self._judge.value(transitions)
        value = np.clip(value, -self.settings.clip, self.settings.clip)
        return np.where(known, value, np.minimum(value, 0.0))

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "target": self.target.state_dict(),
            "judge": self._judge.state_dict(),
            "memories": (self._kept.state_dict(), self._sources.state_dict()),
            "rng": self._rng.bit_generator.state,
            "numbers": (self._owed, dict(self._spreads), self.ready, self.scale, self._grown),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.target.load_state_dict(data["target"])
        self._judge.load_state_dict(data["judge"])
        for memory, kept in zip((self._kept, self._sources), data["memories"], strict=True):
            memory.load_state_dict(kept)
        self._rng.bit_generator.state = data["rng"]
        self._owed, self._spreads, self.ready, self.scale, self._grown = data["numbers"]

    def _tune(self, source: Transitions, reward: NDArray[Any], progress: float) -> dict[str, float]:
        """Set λ by the sizes of reward and Δr; return the diagnostics."""
        settings = self.settings
        some = self._rng.choice(len(source), min(len(source), 2048), replace=False)
        value, known = self._judge.value(source[some])
        clipped = np.clip(value, -settings.clip, settings.clip)
        self._follow("reward", float(np.sqrt(np.mean(np.square(reward)))))
        self._follow("value", float(np.std(clipped)))
        self._grown = min(1.0, progress / settings.warm_up) if settings.warm_up else 1.0
        full = settings.scale
        if full is None:
            full = settings.strength * self._spreads["reward"] / max(self._spreads["value"], _UNIT)
        self.scale = self._grown * full
        return {
            "delta_r": float(clipped.mean()),
            "delta_r_spread": float(clipped.std()),
            "clipped": float((np.abs(value) > settings.clip).mean()),
            "known": float(known.mean()),
            "lambda": self.scale,
        }

    def _follow(self, name: str, value: float) -> None:
        before = self._spreads.get(name, value)
        self._spreads[name] = _SLOW * before + (1.0 - _SLOW) * value
