"""Are visits taken for dynamics? Two systems without noise that were visited differently.

    python benchmarks/gap/visits.py [--quick]

Alike, or with an action that is dead in the target; noise of one standard deviation on the change
alone, or on state and action as well, as published code has it. A good Δr is 0 between systems
that are alike, and follows −action² where the action is dead. Writes results/gap_visits.json.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

from sim2real.gap.estimator import EstimatorSettings, GapEstimator
from sim2real.gap.transitions import Transitions


def sample(n: int, seed: int, visited: float, strength: float = 1.0) -> Transitions:
    """Return transitions whose change tells where they were: it bends with the state."""
    rng = np.random.default_rng(seed)
    state, action = visited + rng.normal(size=(n, 4)), rng.normal(size=(n, 2))
    x = np.sin(2.0 * state[:, 0]) + 0.3 * action[:, 0]
    y = state[:, 1] * state[:, 2] + strength * action[:, 1]
    return Transitions(state=state, action=action, change=0.1 * np.stack([x, y], axis=1))


def compare(seed: int, blur: float, strength: float, steps: int) -> dict[str, float]:
    """Return how Δr of the source varies, and with what."""
    estimator = GapEstimator((4, 2, 2), EstimatorSettings(blur=blur, surprise=True), seed)
    source, target = sample(20_000, seed, 0.0), sample(2_000, seed + 10, 0.8, strength)
    fit = estimator.fit(source, target, steps)
    check = sample(4_000, seed + 20, 0.0)
    value, effort = estimator.delta_r(check), np.square(check.action[:, 1])
    level = value.std() > 1e-9
    return {
        "seed": seed,
        "std": float(value.std()),
        "correlation": float(np.corrcoef(value, -effort)[0, 1]) if level else 0.0,
        "sa_accuracy": fit.sa_accuracy,
    }


def main() -> None:
    """Compare both, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for name, blur in (("noise on the change", 0.0), ("noise on all", 1.0)):
        for gap, strength in (("alike", 1.0), ("a dead action", 0.0)):
            rows = [compare(s, blur, strength, 50 if quick else 600) for s in range(3)]
            results[f"{name}, {gap}"] = rows
            print(name, gap, rows, flush=True)
    print(_result.save("gap_visits", settings={"quick": quick}, results=results))


if __name__ == "__main__":
    main()
