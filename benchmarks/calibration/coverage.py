"""How often 90 % bands hold on held-out logs of the pendulum, by what they take into account.

    python benchmarks/calibration/coverage.py

Fitted to `ddp` and `direct_collocation`; windows of 0.5 s of `energy_shaping` and
`pd_system_identification` are predicted. Asked: 85 to 95 %, no wider than 0.12 rad on average.
Then where fits to each of the held-out logs alone lie in the posterior of the fitted two, as it is
and widened (`--widen`): in standard deviations of the difference.
"""

from dataclasses import asdict

import numpy as np
from _rows import LOGS, logs_of, recipe_of, save, timed
from scipy.special import ndtri

from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.estimate import estimate
from sim2real.calibration.problem import Problem
from sim2real.calibration.uncertainty import capped_at_prior
from sim2real.calibration.widening import widening
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
    results["fits to held-out logs"] = held_out_fits(robot, recipe, fitted, held_out)
    save("coverage", {"seed": SEED, "targets": TARGETS}, results)


def held_out_fits(robot, recipe, fitted, held_out) -> dict:
    """Return how far fits to the held-out logs are from the posterior, and how often it holds them.

    Both sides are uncertain: a difference is compared with the standard deviation of the two.
    """
    recipe = with_runs_of(recipe, fitted, held_out)
    found = estimate(Problem(robot, recipe), fitted, seed=SEED)
    residual = found.problem.residual(held_out)
    factor = widening(residual, found.fit.z, found.spread.total)
    spreads = {
        "as it is": found.spread.total,
        "widened": capped_at_prior(factor * found.spread.total),
    }
    own = [estimate(Problem(robot, recipe), [log], seed=SEED) for log in held_out]
    rows = {}
    for kind, spread in spreads.items():
        off = [
            (each.fit.z - found.fit.z) / np.sqrt(np.diag(spread) + np.diag(each.spread.total))
            for each in own
        ]
        rows[kind] = {
            log.source.rsplit("/", 1)[-1]: dict(
                zip(found.problem.names, np.round(row, 2).tolist(), strict=True)
            )
            for log, row in zip(held_out, off, strict=True)
        } | {"in 90 % intervals": float(np.mean(np.abs(off) <= ndtri(0.95)))}
    return {"factor of the covariance": round(factor, 2), **rows}


if __name__ == "__main__":
    main()
