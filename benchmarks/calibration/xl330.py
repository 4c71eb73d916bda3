"""The XL330 servo: the friction class by held-in validation, then another firmware gain.

    python benchmarks/calibration/xl330.py

The public logs have the gains 100, 400 and 800. The class is chosen by leaving out the logs of one
gain at a time; then, with that class, each gain in turn is predicted over its whole 6 s by a fit to
the other two. 400 lies between the others, as the 200 of the table would; 100 and 800 are
extrapolated.
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
    (chosen, candidates), choosing = timed(
        lambda: choose(Problem(robot, recipe), logs, seed=SEED, on_progress=print)
    )
    results = {
        "classes": {c.name: [round(c.error, 5), round(c.standard_error, 5)] for c in candidates},
        "chosen": next(c.name for c in candidates if c.chosen),
        "choose": choosing,
    }
    print(results, flush=True)
    for gain in (400, 100, 800):
        held_out = [log for log in logs if log.facts["kp"] == gain]
        fitted = [log for log in logs if log.facts["kp"] != gain]
        results[f"held out: {gain}"] = row(chosen, fitted, held_out)
        print(gain, results[f"held out: {gain}"], flush=True)
    results["all"] = row(chosen, logs, [])
    save("xl330", {"seed": SEED, "targets": TARGETS}, results)


def row(problem: Problem, fitted, held_out) -> dict:
    """Return what a fit to some gains does at another."""
    (found, _), fitting = timed(lambda: problem.solve(fitted, seed=SEED))
    coordinates = problem.coordinates
    best = coordinates.values(found.z)
    nominal = np.clip(coordinates.nominal, coordinates.lower, coordinates.upper)
    values = {"calibrated": best, "nominal": nominal}
    result = {
        "fit": fitting,
        "values": dict(zip(problem.names, np.round(best, 6).tolist(), strict=True)),
        "fitted, 6 s": errors(problem, fitted, values, 5.9),
    }
    if held_out:
        result["held out, 6 s"] = errors(problem, held_out, values, 5.9)
    return result


if __name__ == "__main__":
    main()
