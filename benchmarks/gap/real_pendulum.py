"""The gap map on the real pendulum of ../shared/logs: nominal against calibrated.

    python benchmarks/gap/real_pendulum.py [--quick]

Calibrates on the recipe's fitted logs, and judges the nominal, the published and the calibrated
model on all four logs without pushes, and on the two that were held out.
Writes results/gap_real_pendulum.json.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.logs import read_log
from sim2real.calibration.recipe import Recipe
from sim2real.gap.gap_map import gap_map
from sim2real.parameters.posterior import Posterior
from sim2real.shipped import find_robot, folder

LOGS = Path(os.environ.get("SIM2REAL_LOGS", Path(__file__).parents[4] / "shared" / "logs"))
# m 0.6755 kg at 0.5 m with damping 0.1, the better published set, as moments of this model
PUBLISHED = {
    "body.bob.mass": 0.6105,
    "joint.pivot.armature": 0.0052,
    "joint.pivot.damping": 0.1,
    "joint.pivot.frictionloss": 0.0,
}


def main() -> None:
    """Judge the models and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="no suspects: a smoke test")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    robot, logs = find_robot("pendulum"), LOGS / "pendulum"
    recipe = Recipe.load(folder("calibration") / "pendulum_dfki")
    fitted, held_out = recipe.fit_files(logs), recipe.held_out_files(logs)
    found = calibrate(robot, recipe, fitted, held_out)
    models = {"nominal": None, "published": _known(PUBLISHED), "calibrated": found.posterior}
    results: dict[str, Any] = {}
    for which, paths in (("all", [*fitted, *held_out]), ("held out", held_out)):
        rows = [read_log(path, recipe, robot) for path in paths]
        for name, posterior in models.items():
            one = gap_map(robot, rows, recipe, posterior, explain=not quick and which == "all")
            results[f"{name}, {which}"] = {
                "auc": one.auc, "interval": one.interval, "nats": one.nats, "verdict": one.verdict,
                "extent": one.extent, "windows": one.windows, "closed_auc": one.closed_auc,
                "suspects": [vars(item) for item in one.suspects[:4]],
                "depends_on": one.coordinates[0].name,
            }  # fmt: skip
            print(name, which, results[f"{name}, {which}"], flush=True)
    print(_result.save("gap_real_pendulum", settings={"quick": quick}, results=results))


def _known(values: dict[str, float]) -> Posterior:
    n = len(values)
    return Posterior(
        names=tuple(values),
        mean=tuple(values.values()),
        covariance=tuple(tuple(1e-12 * (i == j) for j in range(n)) for i in range(n)),
        lower=(0.0,) * n,
        upper=(10.0,) * n,
        origin={},
    )


if __name__ == "__main__":
    main()
