"""MAML on sinusoids, as in the paper (Finn et al. 2017, section 5.1).

    python benchmarks/adaptation/sinusoid.py [--seeds 0 1 2] [--quick]

Amplitudes of 0.1 to 5, phases of 0 to π, an MLP of 2 × 40, training on ten points and one step,
tests on five points of 600 sinusoids after 1, 5 and 10 steps. Writes results/sinusoid.json.
"""

import argparse
import math
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sim2real.meta.maml import MAML, InnerSettings, mean_squared_error

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

ITERATIONS, TASKS, POINTS = 70_000, 25, 10
TESTS, SHOTS, STEPS = 600, 5, (1, 5, 10)
PAPER = {"1": 0.67, "5": 0.38, "10": 0.35}
TARGETS = {"1": 0.70, "5": 0.40, "10": 0.36}


def main() -> None:
    """Train and test each seed in a process of its own; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few iterations: a smoke test")
    chosen = parser.parse_args()
    iterations = 200 if chosen.quick else ITERATIONS
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        runs = []
        for run in pool.imap(_run, [(seed, iterations) for seed in chosen.seeds]):
            runs.append(run)
            print(run, flush=True)
    mean = {step: sum(run["mse"][step] for run in runs) / len(runs) for step in PAPER}
    print("mean:", {step: round(value, 3) for step, value in mean.items()}, "paper:", PAPER)
    settings = {"iterations": iterations, "paper": PAPER, "targets": TARGETS, "quick": chosen.quick}
    results = {"runs": runs, "mean": mean}
    print("written:", _result.save("sinusoid", settings=settings, results=results))


def _run(case: tuple[int, int]) -> dict[str, Any]:
    seed, iterations = case
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator, start = torch.Generator().manual_seed(seed), time.monotonic()
    layers = [nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1)]
    maml = MAML(nn.Sequential(*layers), mean_squared_error, InnerSettings(rate=0.01))
    optimizer = torch.optim.Adam(maml.model.parameters(), 1e-3)
    for _ in range(iterations):
        x, y = _sinusoids(TASKS, 2 * POINTS, generator)
        optimizer.zero_grad(set_to_none=True)
        support, query = (x[:, :POINTS], y[:, :POINTS]), (x[:, POINTS:], y[:, POINTS:])
        maml.query_loss(support, query).mean().backward()
        optimizer.step()
    x, y = _sinusoids(TESTS, SHOTS + 100, torch.Generator().manual_seed(10_000 + seed))
    errors = {}
    for steps in STEPS:
        adapted = maml.adapt(x[:, :SHOTS], y[:, :SHOTS], steps=steps)
        errors[steps] = mean_squared_error(adapted(x[:, SHOTS:]), y[:, SHOTS:]).detach()
    return {
        "seed": seed,
        "mse": {str(steps): float(error.mean()) for steps, error in errors.items()},
        "worst": {str(steps): float(error.max()) for steps, error in errors.items()},
        "not_finite": sum(int((~torch.isfinite(error)).sum()) for error in errors.values()),
        "minutes": (time.monotonic() - start) / 60,
    }


def _sinusoids(ntask: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return points x and values (ntask, n, 1) of random sinusoids."""
    amplitude = 0.1 + 4.9 * torch.rand(ntask, 1, 1, generator=generator)
    phase = math.pi * torch.rand(ntask, 1, 1, generator=generator)
    x = 10.0 * torch.rand(ntask, n, 1, generator=generator) - 5.0
    return x, amplitude * torch.sin(x - phase)


if __name__ == "__main__":
    main()
