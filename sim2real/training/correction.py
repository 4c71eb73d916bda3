"""A gap's correction, round by round of a training."""

from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.build import make_correction
from sim2real.gap.diagnosis import warnings
from sim2real.gap.digest import report_digest
from sim2real.gap.recorder import Recorder
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import Act, Steps
from sim2real.gap.transitions import Transitions

_LATELY = 0.9
"""Of a running mean of the diagnostics, what stays in a round."""


@final
class RoundCorrection:
    """Records what happens in a training's environments, and corrects what is learned from it."""

    def __init__(self, settings: GapSettings, env: RobotVectorEnv, *, rounds: int, seed: int):
        if settings.report is not None:
            report_digest(Path(settings.report))  # a wrong path is refused before the training
        self._env, self.method = env, settings.method
        self.gap, reader = make_correction(settings, env, rounds=rounds, seed=seed)
        self._recorder = Recorder(env, reader)
        self._mean: dict[str, float] = {}

    def take(self) -> tuple[Transitions, NDArray[np.bool_]]:
        """Return the steps since the last call (nstep n, ...), and which are good (nstep, n)."""
        return self._recorder.take()

    @property
    def played(self) -> Steps:
        """What was observed on the target in this round."""
        return self.gap.target.played

    def learn(
        self, act: Act, steps: Transitions, good: NDArray[np.bool_], reward: NDArray[Any]
    ) -> dict[str, float]:
        """Learn from a round and return what to log.

        Args:
            act: the policy as it explores.
            steps: of the round (nstep n, ...).
            good: which of them can be learned from (nstep, n).
            reward: what they earned (nstep, n).
        """
        rows = good.ravel()
        found = self.gap.learn(act, steps[rows], reward.ravel()[rows], self._env.progress)
        for name, value in found.items():
            before = self._mean.get(name, value)
            self._mean[name] = _LATELY * before + (1.0 - _LATELY) * value
        return {f"gap/{name}": value for name, value in found.items()}

    def report(self) -> dict[str, Any]:
        """Return what was done about the gap, and what is to be said about it."""
        settings = self.gap.settings
        return {
            "method": settings.method,
            "target_steps": self.gap.target.steps,
            "diagnostics": {name: round(value, 6) for name, value in self._mean.items()},
            "warnings": self.warnings(),
            "report": None if settings.report is None else report_digest(Path(settings.report)),
        }

    def warnings(self) -> list[str]:
        """Return what is wrong, in words."""
        return warnings(self._mean, self._env.progress) if self.gap.ready else []

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {"gap": self.gap.state_dict(), "mean": dict(self._mean)}

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.gap.load_state_dict(data["gap"])
        self._mean = dict(data["mean"])
        self._recorder.restart()
