"""The XL330 servo: the friction class by held-in validation, then another firmware gain.

    python benchmarks/calibration/xl330.py [CLASS [GAIN ...]]

The public logs have the gains 100, 400 and 800. The class is chosen by leaving out the logs of one
gain at a time; then, with that class, each gain in turn is predicted over its whole 6 s by a fit to
the other two. 400 lies between the others, as the 200 of the table would; 100 and 800 are
extrapolated. With a class, it is taken instead of chosen; with gains, only those are held out.
"""

import sys

import numpy as np
from _rows import LOGS, errors, logs_of, recipe_of, save, timed

from sim2real.calibration.choose import choose
from sim2real.calibration.problem import Problem
from sim2real.calibration.progress import Progress
from sim2real.shipped import find_robot

FOLDER, SEED = LOGS / "xl330", 0
TARGETS = {"mae": 0.031}


def main() -> None:
    """Fit, predict and write results/calibration_xl330.json."""
    robot, recipe = find_robot("xl330"), recipe_of("xl330")
    logs = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    given, *gains = sys.argv[1:] or [""]
    chosen, results = (taken if given else by_validation)(Problem(robot, recipe), logs, given)
    print(results, flush=True)
    for gain in map(int, gains or (400, 100, 800)):
        held_out = [log for log in logs if log.facts["kp"] == gain]
        fitted = [log for log in logs if log.facts["kp"] != gain]
        results[f"held out: {gain}"] = row(chosen, fitted, held_out)
        print(gain, results[f"held out: {gain}"], flush=True)
    if not gains:
        results["all"] = row(chosen, logs, [])
    save("xl330", {"seed": SEED, "targets": TARGETS}, results)


def by_validation(problem: Problem, logs, _: str) -> tuple[Problem, dict]:
    """Return the problem of the class that held-in validation takes, and how all fared."""
    (chosen, candidates), choosing = timed(
        lambda: choose(problem, logs, seed=SEED, progress=Progress(print))
    )
    return chosen, {
        "classes": {c.name: [round(c.error, 5), round(c.standard_error, 5)] for c in candidates},
        "chosen": next(c.name for c in candidates if c.chosen),
        "choose": choosing,
    }


def taken(problem: Problem, logs, name: str) -> tuple[Problem, dict]:
    """Return the problem of a class that was named."""
    classes = problem.recipe.choose.classes
    optional = {parameter for each in classes.values() for parameter in each}
    return problem.without(sorted(optional - set(classes[name]))), {"taken, not chosen": name}


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
