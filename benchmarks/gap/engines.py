"""Experiment G: half-cheetah, trained in MuJoCo for Bullet's contacts.

    python benchmarks/gap/engines.py [--seeds 0 1 ...] [--arms source reward ...] [--quick]

PPO on a million source steps of 200-step episodes; every arm with 10,000 steps in Bullet at most,
`fine-tuning` after plain transfer. Writes results/gap_engines.json with every seed.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _arms import of_method, run
from half_cheetah import PPO, cheetah

from sim2real.gap.settings import GapSettings

GAP = GapSettings(engine="bullet", target_steps=10_000)
ARMS = ("source", "reward", "residual", "fine-tuning")
TUNING: dict[str, Any] = {"steps": 10_000, "num_envs": 5, "rollout_steps": 200}


def main() -> None:
    """Run what is asked for; what is in the result already stays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    settings = dataclasses.replace(PPO, steps=25_600 if chosen.quick else 1_000_000)
    results = {} if chosen.quick else _result.previous("gap_engines")
    robot, facts = cheetah(), {"ppo": dataclasses.asdict(settings), "gap": dataclasses.asdict(GAP)}
    for seed in chosen.seeds:
        learned: dict[str, Any] = {}
        for arm in chosen.arms:
            if arm == "fine-tuning":
                start = learned or run(robot, settings, GAP, seed=seed)["state"]
                few = dataclasses.replace(settings, **TUNING)
                row = run(robot, few, GAP, seed=seed, on_target=True, start=start)
            else:
                gap = of_method(GAP, None if arm == "source" else arm)
                row = run(robot, settings, gap, seed=seed)
                learned = row["state"] if arm == "source" else learned
            row.pop("state")
            results.setdefault(arm, {})[str(seed)] = row
            print(arm, row, flush=True)
            _result.save("gap_engines", settings=facts | {"quick": chosen.quick}, results=results)


if __name__ == "__main__":
    main()
