"""How a task sees the position of each joint."""

from typing import Literal

import numpy as np

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.signals import Measured

View = Literal["unseen", "plain", "angle"]


def views(env: RobotVectorEnv) -> tuple[View, ...]:
    """Return how the task's own observation sees each joint's position.

    `unseen` where nothing depends on it (how far a runner has come), `angle` where a whole turn
    makes no difference.
    """
    rng = np.random.default_rng(0)
    njoint = len(env.robot.joints)
    signals = env.sim.measure().signals()
    start = {name: np.array(value[:1], np.float64) for name, value in signals.items()}
    start["position"] = start["position"] + 0.1 * rng.standard_normal((1, njoint))
    command, goal = env.command[:1], env.goal[:1]

    def seen(joint: int, by: float) -> bool:
        moved = start | {"position": start["position"] + by * np.eye(njoint)[joint]}
        pair = [env.task.observe(Measured(**values), command, goal) for values in (start, moved)]
        return float(np.abs(pair[1] - pair[0]).max()) > 1e-6

    found: list[View] = []
    for joint in range(njoint):
        if not seen(joint, 0.123):
            found.append("unseen")
        else:
            found.append("plain" if seen(joint, 2.0 * np.pi) else "angle")
    return tuple(found)
