"""Planted gaps: does the map name the joint and the kind?

    python benchmarks/gap/planted.py [--robots pendulum reacher] [--quick]

A minute of each robot under an excitation, with an encoder's noise, and one number changed.
Writes results/gap_planted.json.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result
from _twin import record

from sim2real.gap.gap_map import gap_map
from sim2real.shipped import find_robot

NOISE = {"pendulum": 1e-3, "reacher": 2e-4}
PLANTED: dict[str, list[dict[str, float]]] = {
    "pendulum": [
        {},
        {"joint.pivot.damping": 0.15},
        {"actuator.pivot.torque_limit": 0.6},
        {"actuator.pivot.delay": 0.03},
        {"body.bob.payload": 0.1},
    ],
    "reacher": [
        {},
        {"joint.elbow_flex.damping": 0.3},
        {"actuator.upper_arm_roll.strength": 0.0},
        {"actuator.shoulder_lift.torque_limit": 0.5},
        {"actuator.wrist_flex.delay": 0.05},
        {"body.wrist_roll.payload": 0.3},
    ],
}


def main() -> None:
    """Map all planted gaps and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robots", nargs="+", default=list(PLANTED), choices=PLANTED)
    parser.add_argument("--quick", action="store_true", help="the first of each: a smoke test")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in chosen.robots:
        robot = find_robot(name)
        for planted in PLANTED[name][: 1 if chosen.quick else None]:
            found = gap_map(robot, [record(robot, planted, seconds=60.0, noise=NOISE[name])])
            rows.append({
                "robot": name, "planted": planted, "auc": found.auc, "interval": found.interval,
                "verdict": found.verdict, "extent": found.extent, "closed_auc": found.closed_auc,
                "joint": found.joints[0].joint, "depends_on": found.coordinates[0].name,
                "suspects": [vars(item) for item in found.suspects[:3]],
            })  # fmt: skip
            print(rows[-1], flush=True)
    print(_result.save("gap_planted", settings={"noise": NOISE, "quick": chosen.quick},
                       results={"rows": rows}))  # fmt: skip


if __name__ == "__main__":
    main()
