"""Experiment F, the field: a runner on a plane without end, and a target whose field has an edge.

    python benchmarks/gap/field.py [--seeds 0 1 ...] [--quick]

The faster, the better, in any direction. In the source a point robot runs straight on; on the
target whoever crosses the edge, 1 m from the middle, is out. "Do not break the illusion": Δr keeps
it where both are alike (Eysenbach et al. 2021 have an ant for it, whose place no sensor tells).
5,000 steps on the target at most. Writes results/gap_field.json with every seed.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any, final

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from _arms import beside_source

from sim2real.gap.settings import GapSettings
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks import TASKS
from sim2real.tasks.task import Array, State, Task, TaskOptions
from sim2real.training.job import PPOSettings

PPO = PPOSettings(steps=400_000, num_envs=64, rollout_steps=60, activation="tanh")
GAP = GapSettings(task={"edge": 1.0}, target_steps=5_000)


@final
class Field(Task):
    """Fast, and within `edge` of the middle if there is one."""

    nobs, nstart = 4, 2

    def __init__(self, edge: float):
        self._edge = edge
        self.options = TaskOptions(
            name="field", episode_seconds=6.0, hold_seconds=6.0, effort_weight=0.0
        )

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Field":
        """Return the task."""
        return cls(float(robot.task.get("edge", np.inf)))

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return position and velocity."""
        xp = array_namespace(measured.position)
        return xp.concat([measured.position, measured.velocity], axis=-1)

    def reward(self, state: State) -> Array:
        """Return the speed."""
        return np.linalg.norm(state.velocity, axis=1)

    def terminated(self, state: State) -> NDArray[np.bool_]:
        """Return which have crossed the edge."""
        return ~self.success(state)

    def success(self, state: State) -> NDArray[np.bool_]:
        """Return which are on the field."""
        return np.linalg.norm(state.position, axis=1) <= self._edge

    def start(self, u: Array) -> tuple[Array, Array, None]:
        """Return starts near the middle, at rest."""
        position = 0.2 * (2.0 * u - 1.0)
        return position, np.zeros_like(position), None


def main() -> None:
    """Run all seeds and write the result."""
    TASKS["field"] = Field
    robot = find_robot(str(Path(__file__).parent / "point"))
    robot = dataclasses.replace(robot, task={"name": "field"})
    beside_source("gap_field", __doc__.splitlines()[0], robot, PPO, GAP, quick=15_360)


if __name__ == "__main__":
    main()
