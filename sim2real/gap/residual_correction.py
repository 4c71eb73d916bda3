"""Residual dynamics in a training: the source becomes what the target's transitions show."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.gap.memory import Memory
from sim2real.gap.method import FEWEST, Correction
from sim2real.gap.missing_force import MissingForce
from sim2real.gap.observer import StateReader
from sim2real.gap.residual import ResidualForce
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import Act, Target
from sim2real.gap.transitions import Transitions
from sim2real.signals import Measured
from sim2real.sim.mujoco_batch import MujocoSimulator

Array = NDArray[np.floating[Any]]

_EACH = 4
"""Times as many steps of the network as the classifiers would take."""
_FIRST = 10
"""Times as many again in the first round."""


@final
class ResidualCorrection(Correction):
    """Learns which forces the simulation lacks, and lets them act in it.

    For a gap that is everywhere, where a reward finds no way around: the kin of ASAP's delta action
    (He et al. 2025), as a generalized force, so that it reaches joints that no motor drives, and
    with inverse dynamics for its labels in place of reinforcement learning.
    """

    def __init__(
        self, settings: GapSettings, target: Target, env: RobotVectorEnv, rounds: int, seed: int
    ):
        """Make a correction of the source `env`."""
        super().__init__(settings, target, rounds)
        if not isinstance(env.sim, MujocoSimulator):
            raise ConfigError("gap: residual needs MuJoCo as the source's engine")
        self._sim, self._reader = env.sim, StateReader(env)
        self._missing = MissingForce(env.robot)
        self._force = ResidualForce(
            self._reader.sizes[0] + self._reader.sizes[1], len(env.robot.joints), seed
        )
        self._kept = Memory(settings.memory)

    def learn(  # noqa: D102
        self, act: Act, source: Transitions, reward: NDArray[Any], progress: float
    ) -> dict[str, float]:
        new = self._collect(act)
        if new is not None:
            self._kept.add(self._labelled(new))
        metrics = {"target_steps": float(self.target.steps)}
        if len(self._kept) < FEWEST:
            return metrics
        steps = _EACH * self.settings.steps * (1 if self.ready else _FIRST)
        known = self._kept.transitions
        found = self._force.fit(
            np.concatenate([known.state, known.action], axis=1), known.change, steps
        )
        self._install()
        return metrics | found

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "target": self.target.state_dict(),
            "force": self._force.state_dict(),
            "kept": self._kept.state_dict(),
            "numbers": (self._owed, self.ready),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self.target.load_state_dict(data["target"])
        self._force.load_state_dict(data["force"])
        self._kept.load_state_dict(data["kept"])
        self._owed, ready = data["numbers"]
        if ready:
            self._install()

    def _install(self) -> None:
        self.ready = True
        self._sim.residual = lambda position, velocity, command: self._force(
            np.concatenate([self._state(position, velocity), command], axis=1)
        )

    def _labelled(self, new: Transitions) -> Transitions:
        """Return states as the policy sees them, commands, and in place of changes the forces."""
        position, velocity = np.split(new.state, 2, axis=1)
        return Transitions(
            state=self._state(position, velocity), action=new.action, change=self._missing.of(new)
        )

    def _state(self, position: Array, velocity: Array) -> Array:
        return self._reader.state(Measured(position=position, velocity=velocity))
