"""Experiment E, the fall: a hopper whose target alone ends when it falls, and no reward at all.

    python benchmarks/gap/hopper.py [--seeds 0 1 ...] [--quick]

In the source a fall has no consequence and nothing is earned; what keeps the policy upright is Δr
alone, from 10,000 steps on the target. Asked: it stands 250 of 300 steps. The source's own policy
is beside it. Writes results/gap_hopper.json with every seed.
"""

import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from _arms import beside_source

from sim2real.gap.settings import GapSettings
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.training.job import PPOSettings

STEPS = 300
PPO = PPOSettings(steps=1_000_000, num_envs=64, rollout_steps=100, activation="tanh")
HEALTHY = find_robot("hopper").task["healthy"]
GAP = GapSettings(task={"healthy": HEALTHY}, target_steps=10_000)


def hopper() -> Robot:
    """Return the robot that earns nothing and never falls."""
    robot = find_robot("hopper")
    task = robot.task | {
        "healthy": {}, "forward_weight": 0.0, "alive_bonus": 0.0, "effort_weight": 0.0,
        "episode_seconds": STEPS / robot.control_hz,
    }  # fmt: skip
    return dataclasses.replace(robot, task=task, randomize={}, correlate=())


def main() -> None:
    """Run all seeds and write the result."""
    beside_source("gap_hopper", __doc__.splitlines()[0], hopper(), PPO, GAP, quick=25_600)


if __name__ == "__main__":
    main()
