"""CaDM's ranges: planning on a model that is told a context, on one that adapts, on a plain one.

    python benchmarks/adaptation/context.py [--cases cart_pole ...] [--seeds 0 1 2] [--quick]

Masses, lengths, forces and dampings as in CaDM (Lee et al. 2020, `envs/config.py`): trained within
a range, tested beside it ("moderate") and far beside it ("extreme"). All models see the same number
of robots, are as large and learn for as many steps; rounds after the first are driven by plans on
each model. Returns of an episode in 10 worlds for each of CaDM's four test ranges. Writes
results/context.json after each model; what is in it already stays.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sim2real.meta.fit import FitSettings
from sim2real.meta.job import AdaptationSettings, DynamicsJob, DynamicsSettings
from sim2real.meta.train import train_dynamics
from sim2real.mpc.drive import planning
from sim2real.mpc.icem import ICEM
from sim2real.mpc.planner import Planner
from sim2real.parameters import randomness

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import _result
from _closed_loop import Worlds, driven

METHODS = ("none", "history", "recurrent", "last_layer", "drives")
TARGETS = {"cart_pole": 1.2, "half_cheetah": 1.5}
WORLDS = 10
Range = tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A robot, what differs between its worlds, and how its model is trained.

    Parameters that stand in one group have the same share in each world, as CaDM's have.
    """

    robot: str
    control_hz: float
    groups: Mapping[str, tuple[str, ...]]
    trained: Mapping[str, Range]
    """Group → shares of the nominal value."""
    tests: Mapping[str, tuple[Mapping[str, Range], ...]]
    seconds: float
    """Of an episode that is scored."""
    dynamics: DynamicsSettings
    fit: FitSettings
    planner: Planner
    exploring: Planner


def _tests(first: str, second: str, *ranges: tuple[Range, Range]) -> dict[str, Any]:
    """Return CaDM's four ranges, whose outer ones are the extreme ones."""
    each = [{first: one, second: two} for one, two in ranges]
    return {"moderate": (each[1], each[2]), "extreme": (each[0], each[3])}


_BODIES = ("torso", "bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
_JOINTS = _BODIES[1:]
CASES = {
    "cart_pole": Case(
        robot=str(Path(__file__).parent / "cart_pole"),
        control_hz=50,
        groups={"force": ("actuator.cart.gain",), "length": ("body.pole.length",)},
        trained={"force": (0.5, 1.5), "length": (0.8, 1.2)},
        tests=_tests(
            "force",
            "length",
            ((0.20, 0.25), (0.30, 0.40)),
            ((0.30, 0.35), (0.50, 0.60)),
            ((1.65, 1.70), (1.40, 1.50)),
            ((1.75, 1.80), (1.60, 1.70)),
        ),
        seconds=4.0,
        dynamics=DynamicsSettings(hidden=(128, 128), robots=100, seconds=4.0, rounds=3),
        fit=FitSettings(steps=1500, tasks=32),
        planner=ICEM(horizon=30, candidates=100, iterations=2, elites=10, kept=3, colour=1.0),
        exploring=ICEM(horizon=20, candidates=24, iterations=2, elites=6, kept=3, colour=1.0),
    ),
    "pendulum": Case(
        robot="pendulum",
        control_hz=20,
        groups={"mass": ("body.bob.mass",), "length": ("body.rod.length",)},
        trained={"mass": (0.75, 1.25), "length": (0.75, 1.25)},
        tests=_tests(
            "mass",
            "length",
            ((0.2, 0.4), (1.6, 1.8)),
            ((0.5, 0.7), (1.3, 1.5)),
            ((1.3, 1.5), (0.5, 0.7)),
            ((1.6, 1.8), (0.2, 0.4)),
        ),
        seconds=6.0,
        dynamics=DynamicsSettings(hidden=(128, 128), robots=100, seconds=6.0, rounds=3),
        fit=FitSettings(steps=1500, tasks=32),
        planner=ICEM(horizon=30, candidates=100, iterations=2, elites=10, kept=3, colour=1.0),
        exploring=ICEM(horizon=20, candidates=24, iterations=2, elites=6, kept=3, colour=1.0),
    ),
    "half_cheetah": Case(
        robot="half_cheetah",
        control_hz=20,
        groups={
            "mass": tuple(f"body.{name}.mass" for name in _BODIES),
            "damping": tuple(f"joint.{name}.damping" for name in _JOINTS),
        },
        trained={"mass": (0.75, 1.25), "damping": (0.75, 1.25)},
        tests=_tests(
            "mass",
            "damping",
            ((0.2, 0.3), (0.2, 0.3)),
            ((0.4, 0.5), (0.4, 0.5)),
            ((1.5, 1.6), (1.5, 1.6)),
            ((1.7, 1.8), (1.7, 1.8)),
        ),
        seconds=10.0,
        dynamics=DynamicsSettings(hidden=(200, 200), robots=100, seconds=8.0, rounds=5),
        fit=FitSettings(steps=3000, tasks=32),
        planner=ICEM(horizon=15, candidates=136, iterations=2, elites=16, kept=5, colour=1.0),
        exploring=ICEM(horizon=10, candidates=32, iterations=2, elites=8, kept=3, colour=1.0),
    ),
}


def main() -> None:
    """Train and test what is asked for; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="a few steps: a smoke test")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("medium")
    results = {} if chosen.quick else _result.previous("context")
    settings = {"targets": TARGETS, "worlds": WORLDS, "quick": chosen.quick}
    for seed in chosen.seeds:
        for name in chosen.cases:
            case = small(CASES[name]) if chosen.quick else CASES[name]
            for method in chosen.methods:
                rows = results.setdefault(name, {}).setdefault("runs", {}).setdefault(method, {})
                if str(seed) in rows:
                    continue
                rows[str(seed)] = tested(case, method, seed)
                print(name, method, seed, rows[str(seed)], flush=True)
                results[name]["over none"] = over_none(results[name]["runs"])
                _result.save("context", settings=settings, results=results)
    for name in chosen.cases:
        print(name, results[name]["over none"])


def small(case: Case) -> Case:
    """Return a smoke test's case."""
    return dataclasses.replace(
        case,
        seconds=0.2,
        dynamics=dataclasses.replace(case.dynamics, robots=4, seconds=4.0, rounds=2),
        fit=dataclasses.replace(case.fit, steps=10),
    )


def tested(case: Case, method: Any, seed: int) -> dict[str, Any]:
    """Train a model and return its mean returns in the ranges of the training and of the tests."""
    job = DynamicsJob(
        robot=case.robot,
        seed=seed,
        control_hz=case.control_hz,
        randomize={
            name: {"scale": list(case.trained[group])}
            for group, names in case.groups.items()
            for name in names
        },
        dynamics=case.dynamics,
        adaptation=AdaptationSettings(method=method, window=32),
        fit=case.fit,
    )
    begun = time.process_time()
    trained = train_dynamics(job, drive=planning(case.exploring, noise=0.2))
    minutes = (time.process_time() - begun) / 60
    found: dict[str, Any] = {"cpu minutes of training": round(minutes, 1)}
    for name, ranges in {"trained": (case.trained,), **case.tests}.items():
        parts = []
        for number, shares in enumerate(ranges):
            worlds = drawn(case, shares, f"{name} {number}")
            run = driven(
                job.find_robot(), trained.dynamics, case.planner, worlds, case.seconds, seed=seed
            )
            parts.append(round(float(run.returns.mean()), 2))
        found[name] = parts
    return found


def drawn(case: Case, shares: Mapping[str, Range], term: str) -> Worlds:
    """Return worlds of which each group has one share, the same for every model and seed."""
    worlds = {}
    for group, names in case.groups.items():
        low, high = shares[group]
        uniform = randomness.uniform(0, f"{term} {group}", np.arange(WORLDS), size=1)[:, 0]
        worlds |= dict.fromkeys(names, low + (high - low) * uniform)
    return worlds


def over_none(runs: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return each method's mean return as a share of that without adaptation, seed by seed."""
    plain = runs.get("none", {})
    return {
        method: {
            name: [
                round(float(np.mean(rows[seed][name]) / np.mean(plain[seed][name])), 3)
                for seed in rows
                if seed in plain
            ]
            for name in ("trained", "moderate", "extreme")
        }
        for method, rows in runs.items()
    }


if __name__ == "__main__":
    main()
