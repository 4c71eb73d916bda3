"""Experiment C (and its part of H): the 7-joint reacher whose third joint is dead in the target.

    python benchmarks/gap/reacher.py [--seeds 0 1 ...] [--arms source reward ...] [--quick]

PPO on 1.8 million source steps; every arm with 10,000 target steps at most, but for `target`, which
learns on 600,000 of the target alone. Writes results/gap_reacher.json with every seed.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _arms import of_method, run
from _reacher import DEAD, reacher

from sim2real.gap.estimator import EstimatorSettings
from sim2real.gap.settings import GapSettings
from sim2real.training.job import PPOSettings

PPO = PPOSettings(
    steps=1_800_000, num_envs=64, rollout_steps=100, activation="tanh", learning_rate=1e-3
)
GAP = GapSettings(changed=DEAD, target_steps=10_000)
PAPER = EstimatorSettings(hidden=(32,), noise=1.0, blur=1.0, learning_rate=3e-4, batch=256)
"""Eysenbach et al.'s classifiers, but with standardized inputs: without, they see nothing."""
ARMS: dict[str, Any] = {
    "source": of_method(GAP, None),
    "reward": of_method(GAP, "reward"),
    "target": of_method(GAP, None),
    "paper": of_method(GAP, "reward", estimator=PAPER, warm_up=0.15),
    "weight": of_method(GAP, "weight"),
    "filter": of_method(GAP, "filter"),
    "par": of_method(GAP, "par"),
    "residual": of_method(GAP, "residual"),
    "fine-tuning": of_method(GAP, None),
}


def main() -> None:
    """Run what is asked for; what is in the result already stays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--arms", nargs="+", default=["source", "reward", "target"], choices=ARMS)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    settings = dataclasses.replace(PPO, steps=25_600) if chosen.quick else PPO
    results = {} if chosen.quick else _result.previous("gap_reacher")
    robot = reacher()
    for seed in chosen.seeds:
        for arm in chosen.arms:
            row = _arm(robot, settings, arm, seed)
            results.setdefault(arm, {})[str(seed)] = row
            print(arm, {k: v for k, v in row.items() if k != "curve"}, flush=True)
            facts = {"ppo": dataclasses.asdict(settings), "gap": dataclasses.asdict(GAP)}
            _result.save("gap_reacher", settings=facts | {"quick": chosen.quick}, results=results)


def _arm(robot: Any, settings: PPOSettings, arm: str, seed: int) -> dict[str, Any]:
    if arm == "fine-tuning":  # what the source taught, and then 10,000 steps on the target
        first = run(robot, settings, ARMS["source"], seed=seed)["state"]
        few = dataclasses.replace(settings, steps=10_000, num_envs=4, rollout_steps=100)
        row = run(robot, few, GAP, seed=seed, on_target=True, start=first)
    else:
        if arm == "target":
            settings = dataclasses.replace(settings, steps=settings.steps // 3)
        row = run(robot, settings, ARMS[arm], seed=seed, on_target=arm == "target")
    row.pop("state")
    return row


if __name__ == "__main__":
    main()
