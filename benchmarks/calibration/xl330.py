"""The XL330 servo: the friction class by held-in validation, then another firmware gain.

    python benchmarks/calibration/xl330.py

The public logs have the gains 100, 400 and 800: of each in turn, all logs are held out, and
predicted over their whole 6 s by a fit to the other two. The class is chosen by leaving a gain out
among those that are fitted.
"""

import numpy as np
from _rows import LOGS, errors, logs_of, recipe_of, save, timed

from sim2real.calibration.choose import choose
from sim2real.calibration.problem import Problem
from sim2real.shipped import find_robot

FOLDER, SEED = LOGS / "xl330", 0
TARGETS = {"mae": 0.031}


def main() -> None:
    """Fit, predict and write results/calibration_xl330.json."""
    robot, recipe = find_robot("xl330"), recipe_of("xl330")
    logs = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    results = {}
    for gain in (400, 100, 800):
        held_out = [log for log in logs if log.facts["kp"] == gain]
        fitted = [log for log in logs if log.facts["kp"] != gain]
        results[f"held out: {gain}"] = row(Problem(robot, recipe), fitted, held_out)
        print(gain, results[f"held out: {gain}"], flush=True)
    save("xl330", {"seed": SEED, "targets": TARGETS}, results)


def row(problem: Problem, fitted, held_out) -> dict:
    """Return what a fit to some gains does at another."""
    (chosen, candidates), choosing = timed(lambda: choose(problem, fitted, seed=SEED))
    (found, _), fitting = timed(lambda: chosen.solve(fitted, seed=SEED))
    best = chosen.coordinates.values(found.z)
    values = {
        "calibrated": best,
        "nominal": np.clip(
            chosen.coordinates.nominal, chosen.coordinates.lower, chosen.coordinates.upper
        ),
    }
    return {
        "classes": {c.name: [round(c.error, 5), round(c.standard_error, 5)] for c in candidates},
        "chosen": next(c.name for c in candidates if c.chosen),
        "choose": choosing,
        "fit": fitting,
        "values": dict(zip(chosen.names, np.round(best, 6).tolist(), strict=True)),
        "fitted, 6 s": errors(chosen, fitted, values, 5.9),
        "held out, 6 s": errors(chosen, held_out, values, 5.9),
    }


if __name__ == "__main__":
    main()
