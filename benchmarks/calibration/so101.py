"""The SO-101 arm of SAGE: 20 s closed loop on its servos, 5 joints, 15 parameters.

    python benchmarks/calibration/so101.py

Segments of 20 s that start where the arm stands still, never corrected on the way. The recipe's fit
logs are fitted, its held-out ones predicted.
"""

import numpy as np
from _rows import LOGS, errors, logs_of, recipe_of, save, timed

from sim2real.calibration.colouring import colours
from sim2real.calibration.problem import Problem
from sim2real.shipped import find_robot

FOLDER, SEED = LOGS / "so101", 0
TARGETS = {"held_out": 0.0115, "fit seconds": 60}
PUBLISHED = {"kp": 998.22, "damping": 0.60, "frictionloss": 0.052}


def main() -> None:
    """Fit, predict and write results/calibration_so101.json."""
    robot, recipe = find_robot("so101"), recipe_of("so101_sage")
    fitted = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    held_out = logs_of(recipe, robot, recipe.held_out_files(FOLDER))
    problem = Problem(robot, recipe)
    (found, residual), seconds = timed(lambda: problem.solve(fitted, seed=SEED))
    best = problem.coordinates.values(found.z)
    published = np.array([PUBLISHED[name.rsplit(".", 1)[-1]] for name in problem.names])
    sets = {"calibrated": best, "published": published}
    results = {
        "fit": seconds | {"windows": len(residual.windows), "steps": found.steps},
        "rollouts for a Jacobian": len(colours(residual.moved)),
        "values": dict(zip(problem.names, np.round(best, 4).tolist(), strict=True)),
    }
    for name, logs in (("fitted", fitted), ("held_out", held_out)):
        results[name] = errors(problem, logs, sets, 20.0, settled=True)
        results[f"{name}, the arm goes where it is told"] = commanded(problem, logs)
    save("so101", {"seed": SEED, "targets": TARGETS}, results)


def commanded(problem: Problem, logs) -> float:
    """Return the root mean square distance of the positions from the commands [rad]."""
    squares = []
    for log in logs:
        columns = [log.joints.index(joint) for joint in problem.compared]
        away = log.position[:, columns] - log.commands_at(log.time)[:, columns]
        squares.append((away**2).mean())
    return float(f"{np.sqrt(np.mean(squares)):.4g}")


if __name__ == "__main__":
    main()
