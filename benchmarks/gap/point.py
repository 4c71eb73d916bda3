"""Experiment F: a point robot, and a wall that only reality has.

    python benchmarks/gap/point.py [--seeds 0 1 ...] [--quick]

From the origin to (1, 0); the wall stands across the straight way and is open at its upper end.
PPO in the source, with 5,000 steps on the target at most. Writes results/gap_point.json.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any, final

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _arms import of_method, run

from sim2real.gap.settings import GapSettings
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks import TASKS
from sim2real.tasks.task import Array, State, Task, TaskOptions
from sim2real.training.job import PPOSettings

HERE = Path(__file__).parent
GOAL = np.array([1.0, 0.0])
PPO = PPOSettings(
    steps=400_000, num_envs=64, rollout_steps=60, activation="tanh", entropy=0.01, init_std=1.0
)
GAP = GapSettings(target=str(HERE / "point_behind_wall"), target_steps=5_000)


@final
class Round(Task):
    """To GOAL, by any way."""

    nobs, nstart = 4, 2

    def __init__(self) -> None:
        self.options = TaskOptions(
            name="round", episode_seconds=6.0, hold_seconds=0.2, effort_weight=0.01
        )

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Round":
        """Return the task."""
        return cls()

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return position and velocity."""
        xp = array_namespace(measured.position)
        return xp.concat([measured.position, measured.velocity], axis=-1)

    def reward(self, state: State) -> Array:
        """Return minus the distance, and a bonus at the goal."""
        distance = np.linalg.norm(state.position - GOAL, axis=1)
        effort = np.square(state.action).sum(axis=1)
        return np.exp(-np.square(distance / 0.2)) - 0.3 * distance - 0.01 * effort

    def terminated(self, state: State) -> NDArray[np.bool_]:
        """Return False."""
        return np.zeros(len(state.position), bool)

    def success(self, state: State) -> NDArray[np.bool_]:
        """Return which are within 15 cm."""
        return np.linalg.norm(state.position - GOAL, axis=1) < 0.15

    def start(self, u: Array) -> tuple[Array, Array, None]:
        """Return starts near the origin, at rest."""
        position = 0.1 * (2.0 * u - 1.0)
        return position, np.zeros_like(position), None


def main() -> None:
    """Run all seeds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    TASKS["round"] = Round
    settings = dataclasses.replace(PPO, steps=15_360) if chosen.quick else PPO
    robot, results = find_robot(str(HERE / "point")), {}
    for seed in chosen.seeds:
        for arm in ("source", "reward"):
            gap = of_method(GAP, "reward" if arm == "reward" else None)
            row = run(robot, settings, gap, seed=seed)
            row.pop("state")
            results.setdefault(arm, {})[str(seed)] = row
            print(arm, row, flush=True)
            facts = {"ppo": dataclasses.asdict(settings), "gap": dataclasses.asdict(GAP)}
            _result.save("gap_point", settings=facts | {"quick": chosen.quick}, results=results)


if __name__ == "__main__":
    main()
