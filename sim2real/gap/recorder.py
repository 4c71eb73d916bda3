"""The transitions of an environment, as they happen."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.observer import StateReader
from sim2real.gap.transitions import Transitions
from sim2real.signals import Measured


@final
class Recorder:
    """Notes what the sensors of an environment's robots measure before and after each command."""

    def __init__(self, env: RobotVectorEnv, reader: StateReader):
        self._env, self._reader = env, reader
        self._steps: list[Transitions] = []
        self._good: list[NDArray[np.bool_]] = []
        self.diverged = np.zeros(env.num_envs, bool)
        """Whose simulation blew up in the last step (n,)."""
        env.watchers.append(self._note)

    def take(self) -> tuple[list[Transitions], NDArray[np.bool_]]:
        """Return the steps since the last call, each (n, ...), and which are good (nstep, n).

        What a simulation did that diverged is nothing to learn from; its numbers are zeros.
        """
        steps, good = self._steps, np.array(self._good)
        self._steps, self._good = [], []
        return steps, good

    def restart(self) -> None:
        """Forget what is not taken yet."""
        self._steps, self._good = [], []

    def _note(self, before: Measured, after: Measured) -> None:
        self.diverged = self._env.sim.diverged.copy()
        step = self._reader.transitions
        if self.diverged.any():
            before, after = (_without(measured, self.diverged) for measured in (before, after))
        self._steps.append(step(before, self._env.command.copy(), after))
        self._good.append(~self.diverged)


def _without(measured: Measured, rows: NDArray[np.bool_]) -> Measured:
    """Return measurements with zeros in `rows` (n,)."""
    kept = ~rows[:, None]
    return Measured(
        **{name: np.where(kept, value, 0.0) for name, value in measured.signals().items()}
    )
