"""A gap's correction of what a policy learns from, whatever algorithm learns."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import GapError
from sim2real.gap.judge import Judge
from sim2real.gap.memory import Memory
from sim2real.gap.method import FEWEST, Correction
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import Act, Target
from sim2real.gap.transitions import Transitions

Array = NDArray[np.float64]

_SLOW = 0.9
"""Of a running mean, what stays in a round."""
_FIRST_STEPS = 5
"""Times as many steps of the classifiers in the first round."""
_MOST_WEIGHT = 10.0
_UNIT = 1.0
"""A spread of Δr below this is more of the classifiers' making than of the gap's [nat]."""


@final
class GapCorrection(Correction):
    """Keeps a judge of both domains up to date, and corrects by what it says."""

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
        super().__init__(settings, target, rounds)
        self._judge, self._rng = judge, rng
        self._kept = Memory(settings.memory)
        self._sources = Memory(settings.memory * settings.source_per_target)
        self._spreads: dict[str, float] = {}
        self.scale, self._grown = 0.0, 0.0
        """λ as it is now, and how much of it is."""

    def learn(  # noqa: D102
        self, act: Act, source: Transitions, reward: NDArray[Any], progress: float
    ) -> dict[str, float]:
        settings = self.settings
        new = self._collect(act)
        if new is not None:
            self._kept.add(new)
        count = len(new) if new is not None else settings.target_steps // 50
        rows = min(len(source), settings.source_per_target * count)
        if rows:
            self._sources.add(source[np.sort(self._rng.choice(len(source), rows, replace=False))])
        metrics = {"target_steps": float(self.target.steps)}
        if settings.method == "mix":  # nothing is judged
            return metrics
        if len(self._kept) < FEWEST or not len(self._sources):
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

    def bonus(self, transitions: Transitions) -> Array:  # noqa: D102
        if not self.ready or self.settings.method not in ("reward", "par"):
            return np.zeros(len(transitions))
        return self.scale * self.value(transitions)

    def weights(self, transitions: Transitions) -> Array | None:
        """Return how much each counts (n,): of `filter`, 1 or 0; None if all alike."""
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

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "target": self.target.state_dict(),
            "judge": self._judge.state_dict(),
            "memories": (self._kept.state_dict(), self._sources.state_dict()),
            "rng": self._rng.bit_generator.state,
            "numbers": (self._owed, dict(self._spreads), self.ready, self.scale, self._grown),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self.target.load_state_dict(data["target"])
        self._judge.load_state_dict(data["judge"])
        for memory, kept in zip((self._kept, self._sources), data["memories"], strict=True):
            memory.load_state_dict(kept)
        self._rng.bit_generator.state = data["rng"]
        self._owed, self._spreads, self.ready, self.scale, self._grown = data["numbers"]

    def _tune(self, source: Transitions, reward: NDArray[Any], progress: float) -> dict[str, float]:
        """Set λ by the sizes of reward and Δr; return the diagnostics."""
        settings = self.settings
        some = self._rng.choice(len(source), min(len(source), 1024), replace=False)
        value, known = self._judge.value(source[some])
        clipped = np.clip(value, -settings.clip, settings.clip)
        self._follow("reward", float(np.sqrt(np.mean(np.square(reward)))))
        self._follow("value", float(np.std(clipped)))
        self._grown = min(1.0, progress / settings.warm_up) if settings.warm_up else 1.0
        full = settings.scale
        if full is None and not self._spreads["reward"]:
            full = 1.0  # there is nothing to weigh it against
        elif full is None:
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
