"""The transitions of an environment, as they happen."""

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.observer import Reader
from sim2real.gap.transitions import Transitions
from sim2real.signals import Measured

Step = tuple[Measured, NDArray[np.float64], Measured, NDArray[np.bool_]]
"""Before it, what was told, after it, and which robots it ended for."""


@final
class Recorder:
    """Notes what the sensors of an environment's robots measure before and after each command."""

    def __init__(self, env: RobotVectorEnv, reader: Reader):
        self._env, self._reader = env, reader
        self._steps: list[Step] = []
        self._good: list[NDArray[np.bool_]] = []
        self.diverged = np.zeros(env.num_envs, bool)
        """Whose simulation blew up in the last step (n,)."""
        env.watchers.append(self._note)

    def take(self) -> tuple[Transitions, NDArray[np.bool_]]:
        """Return the transitions since the last call (nstep n, ...), and which are good (nstep, n).

        What a simulation did that diverged is nothing to learn from; its numbers are zeros.
        """
        good = np.array(self._good)
        before, command, after, ended = zip(*self._steps, strict=True)
        self.restart()
        states = (_joined(before), _joined(after))
        if not good.all():
            states = tuple(_without(measured, ~good.ravel()) for measured in states)
        told, over = np.concatenate(command), np.concatenate(ended)
        return self._reader.transitions(states[0], told, states[1], over), good

    def restart(self) -> None:
        """Forget what is not taken yet."""
        self._steps, self._good = [], []

    def _note(self, before: Measured, after: Measured, ended: NDArray[np.bool_]) -> None:
        self.diverged = self._env.sim.diverged.copy()
        self._steps.append((before, self._env.command.copy(), after, ended))
        self._good.append(~self.diverged)


def _joined(parts: Sequence[Measured]) -> Measured:
    signals = [part.signals() for part in parts]
    return Measured(**{name: np.concatenate([s[name] for s in signals]) for name in signals[0]})


def _without(measured: Measured, rows: NDArray[np.bool_]) -> Measured:
    """Return measurements with zeros in `rows` (n,)."""
    kept = ~rows[:, None]
    return Measured(
        **{name: np.where(kept, value, 0.0) for name, value in measured.signals().items()}
    )
