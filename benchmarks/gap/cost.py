"""What the classifiers and Δr cost: iterations of PPO with and without them, side by side.

    python benchmarks/gap/cost.py [--quick]

The trainings of experiments C and D, in turns. Steps on the target are counted apart: a real robot
takes its own time. Writes results/gap_cost.json.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _reacher import DEAD, reacher

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.settings import GapSettings
from sim2real.gap.target import OnlineTarget
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.training.correction import RoundCorrection
from sim2real.training.job import PPOSettings
from sim2real.training.ppo import PPOTrainer

PPO = PPOSettings(num_envs=64, rollout_steps=100, activation="tanh")
CASES: dict[str, tuple[Robot, dict[str, float]]] = {
    "reacher": (reacher(), DEAD),
    "half_cheetah": (find_robot("half_cheetah"), {"actuator.fthigh.strength": 0.0}),
}


def main() -> None:
    """Measure both cases and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few iterations: a smoke test")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    results = {name: _measure(*case, 3 if quick else 10) for name, case in CASES.items()}
    for name, row in results.items():
        print(name, {k: v for k, v in row.items() if k != "ratios"})
    print(_result.save("gap_cost", settings={"quick": quick}, results=results))


def _measure(robot: Robot, changed: dict[str, float], repetitions: int) -> dict[str, Any]:
    trainers = {}
    for name in ("plain", "corrected"):
        env = RobotVectorEnv(robot, PPO.num_envs)
        correction = None
        if name == "corrected":
            gap = GapSettings(method="reward", changed=changed, target_steps=10_000)
            correction = RoundCorrection(gap, env, rounds=94, seed=0)
            on_target = _timed(correction)
        trainers[name] = PPOTrainer(env, PPO, 0, correction=correction)
    for trainer in trainers.values():  # until the classifiers have had their first round
        for _ in range(3):
            trainer.iterate()
    wall: list[float] = []
    cpu: list[float] = []
    everything: list[float] = []
    for number in range(repetitions):
        taken = {}
        for name in sorted(trainers, reverse=bool(number % 2)):
            on_target.clear()
            start = time.perf_counter(), time.process_time()
            trainers[name].iterate()
            spent = time.perf_counter() - start[0], time.process_time() - start[1]
            taken[name] = (*spent, *np.sum(on_target, axis=0)) if on_target else (*spent, 0.0, 0.0)
        one, other = taken["corrected"], taken["plain"]
        wall.append((one[0] - one[2]) / other[0])
        cpu.append((one[1] - one[3]) / other[1])
        everything.append(one[1] / other[1])
    return {
        "added_wall": statistics.median(wall) - 1.0,
        "added_cpu": statistics.median(cpu) - 1.0,
        "added_cpu_with_target_steps": statistics.median(everything) - 1.0,
        "ratios": {"wall": wall, "cpu": cpu},
    }


def _timed(correction: RoundCorrection) -> list[tuple[float, float]]:
    """Return a list that collects how long the steps on the target take (wall, processor)."""
    target, spent = correction.gap.target, []
    assert isinstance(target, OnlineTarget)
    collect = target.collect

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter(), time.process_time()
        found = collect(*arguments)
        spent.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        return found

    target.collect = timed  # type: ignore[method-assign]
    return spent


if __name__ == "__main__":
    main()
