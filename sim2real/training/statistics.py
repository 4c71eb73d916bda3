"""Returns and successes of the episodes that ended lately, for the log."""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray


class EpisodeStatistics:
    """Running sums of each environment and the last hundred finished episodes.

    An episode whose simulation diverged does not count: it says nothing of the policy.
    """

    def __init__(self, num_envs: int):
        self._return = np.zeros(num_envs)
        self._finished: deque[tuple[float, bool]] = deque(maxlen=100)

    def add(self, reward: NDArray[Any], done: NDArray[np.bool_], infos: dict[str, Any]) -> None:
        """Take in one step: `reward` and `done` (n,), and the environment's infos."""
        self._return += reward
        diverged = infos.get("diverged", np.zeros_like(done))
        for i in np.flatnonzero(done & ~diverged):
            self._finished.append((float(self._return[i]), bool(infos["success"][i])))
        self._return[done] = 0.0

    def restart(self) -> None:
        """Forget the episodes that are under way."""
        self._return[...] = 0.0

    def summary(self) -> dict[str, float]:
        """Return the mean return and success rate, or nothing before an episode has ended."""
        if not self._finished:
            return {}
        returns, successes = zip(*self._finished, strict=True)
        return {"return": float(np.mean(returns)), "success": float(np.mean(successes))}

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {"return": self._return.copy(), "finished": list(self._finished)}

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._return[...] = data["return"]
        self._finished = deque(map(tuple, data["finished"]), maxlen=100)
