"""The DFKI pendulum: swing windows of held-out logs, and a payload refitted.

    python benchmarks/calibration/pendulum.py

Fitted to `ddp` and `direct_collocation`; `energy_shaping` and `pd_system_identification` are only
predicted; what a fit to each of those itself would reach shows how much of the rest is the model's.
The published sets are those of the repository's controller and of its identification.
"""

import numpy as np
from _rows import LOGS, errors, logs_of, recipe_of, save, timed

from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.problem import Problem
from sim2real.shipped import find_robot

FOLDER, SEED = LOGS / "pendulum", 0
TARGETS = {"0.5 s": 0.030, "1 s": 0.050, "2 s": 0.058, "payload": 0.027, "fit seconds": 10}
HELD_OUT = ("energy_shaping.csv", "pd_system_identification.csv")


def main() -> None:
    """Fit, predict and write results/calibration_pendulum.json."""
    robot, recipe = find_robot("pendulum"), recipe_of("pendulum_dfki")
    fitted = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    held_out = logs_of(recipe, robot, [FOLDER / name for name in HELD_OUT])
    alone = with_runs_of(recipe, fitted, held_out)
    problem = Problem(robot, alone)
    (found, _), seconds = timed(lambda: problem.solve(fitted, seed=SEED))
    best = problem.coordinates.values(found.z)
    sets = {"calibrated": best, "nominal": problem.coordinates.nominal}
    sets |= {name: moments(problem, *numbers) for name, numbers in PUBLISHED.items()}
    results = {"fit": seconds, "values": dict(zip(problem.names, best.tolist(), strict=True))}
    for horizon in (0.5, 1.0, 2.0):
        results[f"{horizon:g} s"] = errors(problem, held_out, sets, horizon)
        for log in held_out:
            name = log.source.rsplit("/", 1)[-1]
            results[f"{horizon:g} s, {name}"] = errors(problem, [log], sets, horizon)
        # more, overlapping windows of the same logs: less chance in which ones they are
        results[f"{horizon:g} s, every 0.1 s"] = errors(
            problem, held_out, sets, horizon, stride=0.1
        )
    for log in held_out:
        own, _ = problem.solve([log], seed=SEED)
        values = {"fitted to itself": problem.coordinates.values(own.z)}
        results[f"fitted to itself: {log.source.rsplit('/', 1)[-1]}"] = {
            f"{horizon:g} s": errors(problem, [log], values, horizon) for horizon in (0.5, 1.0, 2.0)
        }
    results["payload"] = payload(robot, recipe, fitted, best)
    save("pendulum", {"seed": SEED, "held_out": HELD_OUT, "targets": TARGETS}, results)


PUBLISHED = {
    "published controller": (0.6755 * 0.5**2, 0.6755 * 0.5, 0.1, 0.0),
    "published identification": (0.06259, 0.1022, 0.04707, 0.1839 * np.pi / 2),
}
"""J [kg m²], m·l [kg m], damping, Coulomb friction."""
ROD = {"moment": 0.25 * 0.13, "inertia": 0.002713 + 0.13 * 0.25**2 + 2e-4}


def moments(problem: Problem, J: float, ml: float, damping: float, friction: float) -> np.ndarray:
    """Return the unknowns with these moments; the rod stays as it is."""
    mass = (ml - ROD["moment"]) / 0.5
    given = {
        "body.bob.mass": mass,
        "joint.pivot.armature": J - ROD["inertia"] - mass * 0.25,
        "joint.pivot.damping": damping,
        "joint.pivot.frictionloss": friction,
    }
    # a set that no rod and bob have at these places is as near to it as the model can be
    given["joint.pivot.armature"] = max(0.0, given["joint.pivot.armature"])
    given["body.bob.mass"] = max(1e-3, mass)
    return np.array([given.get(name, 0.0) for name in problem.names])


def inertia(mass: float, armature: float) -> tuple[float, float]:
    """Return J [kg m²] and m·l [kg m] with a bob of this mass."""
    return ROD["inertia"] + 0.25 * mass + armature, ROD["moment"] + 0.5 * mass


def payload(robot, recipe, fitted, best) -> dict:
    """Return what refitting the inertia alone does on the log with a payload.

    All its swing windows are fitted, as in the reference; then its first half alone, and the second
    is predicted.
    """
    (log,) = logs_of(recipe, robot, [FOLDER / "energy_shaping_1kg.csv"])
    both = Problem(robot, with_runs_of(recipe, [*fitted, log], []))
    found, _ = both.solve([*fitted, log], seed=SEED)
    values = both.coordinates.values(found.z)
    named = dict(zip(both.names, values.tolist(), strict=True))
    before = values.copy()
    for name in ("body.bob.mass", "joint.pivot.armature"):
        before[both.names.index(f"payload: {name}")] = named[name]
    J0, ml0 = inertia(named["body.bob.mass"], named["joint.pivot.armature"])
    J1, ml1 = inertia(named["payload: body.bob.mass"], named["payload: joint.pivot.armature"])
    return {
        "values": named,
        "0.5 s": errors(both, [log], {"refitted": values, "before": before}, 0.5),
        "J": [J0, J1],
        "ml": [ml0, ml1],
        "J / ml, share of change": (J1 / ml1) / (J0 / ml0) - 1,
    }


if __name__ == "__main__":
    main()
