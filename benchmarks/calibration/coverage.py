"""How often 90 % bands hold on held-out logs of the pendulum, by what they take into account.

    python benchmarks/calibration/coverage.py

Fitted to `ddp` and `direct_collocation`; windows of 0.5 s of `energy_shaping` and
`pd_system_identification` are predicted. Asked: 85 to 95 %, no wider than 0.12 rad on average.
"""

from dataclasses import asdict

from _rows import LOGS, logs_of, recipe_of, save, timed

from sim2real.calibration.calibrate import calibrate
from sim2real.shipped import find_robot

FOLDER, SEED = LOGS / "pendulum", 0
TARGETS = {"covered": [0.85, 0.95], "width": 0.12}


def main() -> None:
    """Calibrate and write results/calibration_coverage.json."""
    robot, recipe = find_robot("pendulum"), recipe_of("pendulum_dfki")
    fitted = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    held_out = logs_of(recipe, robot, recipe.held_out_files(FOLDER))
    result, seconds = timed(lambda: calibrate(robot, recipe, fitted, held_out, seed=SEED))
    results = {"seconds": seconds, "estimates": [asdict(each) for each in result.estimates]}
    results |= {each.kind: asdict(each) for each in result.coverage}
    save("coverage", {"seed": SEED, "targets": TARGETS}, results)


if __name__ == "__main__":
    main()
