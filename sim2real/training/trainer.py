"""What every learning algorithm looks like to the training loop."""

from abc import ABC, abstractmethod
from typing import Any

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.training.policy import Policy

OTHER_NETWORKS = (
    "start: that run has other networks: give the same robot's, with the same algorithm, hidden"
    " sizes and activation"
)


class Trainer(ABC):
    """A learning algorithm with its environments."""

    steps: int
    """Control steps so far, in all environments together."""
    env: RobotVectorEnv
    """The environments that it learns in."""

    @abstractmethod
    def iterate(self) -> dict[str, float]:
        """Collect experience and learn from it once; return what to log."""

    @abstractmethod
    def policy(self) -> Policy:
        """Return a copy of the policy as it is now."""

    @abstractmethod
    def start_from(self, data: dict[str, Any], *, explore_anew: bool = False) -> None:
        """Take networks and exploration out of another trainer's `state_dict`, nothing else of it.

        Args:
            data: the other's state.
            explore_anew: explore as at the beginning, not as little as the other did at last.

        Raises:
            ConfigError: its networks are of other sizes.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""

    @abstractmethod
    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
