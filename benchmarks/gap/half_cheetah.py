"""Experiments D, E and H: the half-cheetah with a dead front thigh, half the gravity, or no gap.

    python benchmarks/gap/half_cheetah.py [--gaps thigh ...] [--arms source reward ...] [--quick]

PPO on 2 million source steps of 200-step episodes; 5,000 target steps for the dead thigh, 20,000
for gravity. Writes results/gap_half_cheetah.json with every seed; what is in it already stays.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _arms import of_method, run

from sim2real.gap.settings import GapSettings
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.training.job import PPOSettings

PPO = PPOSettings(
    steps=2_000_000, num_envs=64, rollout_steps=200, activation="tanh", learning_rate=5e-4
)
GAPS = {
    # an automatic λ follows the reward, and weighs nothing before the policy runs: here the policy
    # then learns to run on the dead thigh first, and some never leave that
    "thigh": GapSettings(
        changed={"actuator.fthigh.strength": 0.0},
        target_steps=5_000,
        scale=1.5,
        warm_up=0.02,
        steps=50,
    ),
    "gravity": GapSettings(changed={"opt.gravity[2]": -4.905}, target_steps=20_000),
    "none": GapSettings(changed={"opt.gravity[2]": -9.81}, target_steps=5_000),
}
METHODS: dict[str, Any] = {
    "source": None, "target": None, "reward": "reward", "weight": "weight", "filter": "filter",
    "par": "par", "residual": "residual",
}  # fmt: skip


def cheetah() -> Robot:
    """Return the nominal robot with episodes of 200 steps."""
    robot = find_robot("half_cheetah")
    task = robot.task | {"episode_seconds": 10.0}
    return dataclasses.replace(robot, task=task, randomize={}, correlate=())


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--gaps", nargs="+", default=list(GAPS), choices=GAPS)
    parser.add_argument("--arms", nargs="+", default=["source", "reward"], choices=METHODS)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    settings = dataclasses.replace(PPO, steps=25_600) if chosen.quick else PPO
    results = {} if chosen.quick else _result.previous("gap_half_cheetah")
    robot = cheetah()
    facts = {"ppo": dataclasses.asdict(settings), "quick": chosen.quick}
    facts |= {name: dataclasses.asdict(gap) for name, gap in GAPS.items()}
    for seed in chosen.seeds:
        for name in chosen.gaps:
            for arm in chosen.arms:
                gap = of_method(GAPS[name], METHODS[arm])
                row = run(robot, settings, gap, seed=seed, on_target=arm == "target")
                row.pop("state")
                results.setdefault(name, {}).setdefault(arm, {})[str(seed)] = row
                print(name, arm, {k: v for k, v in row.items() if k != "curve"}, flush=True)
                _result.save("gap_half_cheetah", settings=facts, results=results)


if __name__ == "__main__":
    main()
