"""Where the target's transitions come from: a robot to act on, or logs."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import GapError
from sim2real.gap.observer import Reader
from sim2real.gap.recorder import Recorder
from sim2real.gap.transitions import Transitions

Act = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Observations (n, nobs) → actions (n, ncommand), as the policy explores."""
Steps = list[tuple[NDArray[Any], ...]]
"""Observation, next observation, action, reward, terminated; each (n, ...)."""


class Target(ABC):
    """The robot that the policy is for. Each subclass is final."""

    steps: int
    """Control steps that were taken on it."""
    played: Steps
    """What was observed in the last `collect`, for those who learn from it, too."""

    @abstractmethod
    def collect(self, act: Act, steps: int) -> Transitions | None:
        """Return new transitions, about `steps` of them; None if there are no new ones."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""

    @abstractmethod
    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""


@final
class OnlineTarget(Target):
    """A robot, or a simulation in its place, on which the policy acts now and then."""

    def __init__(self, env: RobotVectorEnv, reader: Reader, budget: int):
        self._env, self._budget, self.steps = env, budget, 0
        self._recorder = Recorder(env, reader)
        self._observation, _ = env.reset()
        self.played: Steps = []

    def collect(self, act: Act, steps: int) -> Transitions | None:  # noqa: D102
        env, self.played = self._env, []
        steps = min(steps, self._budget - self.steps) // env.num_envs
        if steps < 1:
            return None
        for _ in range(steps):
            action = act(self._observation)
            after, reward, terminated, _, infos = env.step(action)
            last = infos.get("final_obs", after)
            if not self._recorder.diverged.any():
                row = self._observation.copy(), last.copy(), np.clip(action, -1, 1), reward
                self.played.append((*row, terminated))
            self._observation = after
        self.steps += steps * env.num_envs
        return self._recorder.take()[0]

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "env": self._env.state_dict(),
            "observation": self._observation.copy(),
            "steps": self.steps,
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._env.load_state_dict(data["env"])
        self._observation, self.steps = data["observation"], data["steps"]
        self._recorder.restart()


@final
class LoggedTarget(Target):
    """Recordings: all of their transitions at once, and never more."""

    def __init__(self, transitions: Transitions):
        if not len(transitions):
            raise GapError("the logs hold no transition from control step to control step")
        self._transitions, self._given = transitions, False
        self.steps, self.played = len(transitions), []

    def collect(self, act: Act, steps: int) -> Transitions | None:  # noqa: D102
        if self._given:
            return None
        self._given = True
        return self._transitions

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {"given": self._given}

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._given = data["given"]
