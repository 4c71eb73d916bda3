"""Experiment A: Δr between two linear-Gaussian systems, whose Δr is known.

    python benchmarks/gap/linear_gaussian.py [--quick]

States of 6 numbers and actions of 2; the target's first action does nothing. Classifiers of the
settings for logs are fitted to 1,000 and 10,000 target transitions and 100,000 of the source, and
compared with the exact Δr on 20,000 others of the source. Writes results/gap_linear_gaussian.json.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

from sim2real.gap.estimator import EstimatorSettings, GapEstimator
from sim2real.gap.transitions import Transitions

NOISE = 0.1
RECIPES = {
    "for logs": EstimatorSettings(
        noise=0.2, surprise=True, members=3, batch=256, learning_rate=1e-3
    ),
    "for training": EstimatorSettings(),
}


class System:
    """s' = A s + B a + noise; in the target the first column of B is zero."""

    def __init__(self, seed: int):
        rng = np.random.default_rng((seed, 0))
        self.A = np.linalg.qr(rng.normal(size=(6, 6)))[0] * 0.9
        self.B = 0.15 * rng.normal(size=(6, 2))
        self.dead = self.B * [0.0, 1.0]

    def sample(self, n: int, seed: int, *, target: bool) -> Transitions:
        """Return transitions from standard normal states and actions."""
        rng = np.random.default_rng((seed, 1))
        state, action = rng.normal(size=(n, 6)), rng.uniform(-1.0, 1.0, (n, 2))
        B = self.dead if target else self.B
        after = state @ self.A.T + action @ B.T + NOISE * rng.normal(size=(n, 6))
        return Transitions.of(state, action, after)

    def delta_r(self, transitions: Transitions) -> np.ndarray:
        """Return the exact log p_target − log p_source."""
        free = transitions.state + transitions.change - transitions.state @ self.A.T
        errors = [free - transitions.action @ B.T for B in (self.dead, self.B)]
        return (np.square(errors[1]).sum(axis=1) - np.square(errors[0]).sum(axis=1)) / (
            2.0 * NOISE**2
        )


def compare(seed: int, ntarget: int, settings: EstimatorSettings, steps: int) -> dict[str, Any]:
    """Return correlation and slope of the estimate on the exact Δr."""
    system = System(seed)
    estimator = GapEstimator((6, 2, 6), settings, seed)
    start = time.perf_counter()
    source, target = (
        system.sample(100_000, seed + 10, target=False),
        system.sample(ntarget, seed + 20, target=True),
    )
    fit = estimator.fit(source, target, steps)
    seconds = time.perf_counter() - start
    check = system.sample(20_000, seed + 30, target=False)
    estimate, truth = estimator.estimate(check), system.delta_r(check)
    told = estimate.value.std() > 0.0  # else nothing was found
    return {
        "seed": seed,
        "target": ntarget,
        "correlation": float(np.corrcoef(estimate.value, truth)[0, 1]) if told else 0.0,
        "slope": float(np.polyfit(truth, estimate.value, 1)[0]),
        "inside": float(estimate.inside.mean()),
        "scale": fit.scale,
        "seconds": seconds,
    }


def identical(seed: int, ntarget: int, settings: EstimatorSettings, steps: int) -> dict[str, Any]:
    """Return what is left of Δr where there is no gap."""
    system = System(seed)
    estimator = GapEstimator((6, 2, 6), settings, seed)
    source = system.sample(100_000, seed + 10, target=False)
    estimator.fit(source, system.sample(ntarget, seed + 20, target=False), steps)
    value = estimator.delta_r(system.sample(20_000, seed + 30, target=False))
    return {
        "seed": seed,
        "target": ntarget,
        "mean": float(value.mean()),
        "mean_abs": float(np.abs(value).mean()),
        "std": float(value.std()),
    }


def main() -> None:
    """Run all seeds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    quick = parser.parse_args().quick
    steps, seeds = (200, range(1)) if quick else (1500, range(5))
    results: dict[str, Any] = {}
    for name, settings in RECIPES.items():
        rows = [compare(s, n, settings, steps) for n in (1_000, 10_000) for s in seeds]
        same = [identical(s, n, settings, steps) for n in (1_000, 10_000) for s in seeds[:3]]
        results[name] = {"gap": rows, "identical": same}
        for row in (*rows, *same):
            print(name, {k: round(v, 3) for k, v in row.items()}, flush=True)
    print(_result.save("gap_linear_gaussian", settings={"steps": steps, "quick": quick},
                       results=results))  # fmt: skip


if __name__ == "__main__":
    main()
