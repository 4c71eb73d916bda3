"""Adaptation of half-cheetah's dynamics to a dead joint: all adapters in one table.

    python benchmarks/adaptation/half_cheetah_dynamics.py [--seeds 0 1 2] [--quick]

One of five drives is dead in training. Tests: those again, nothing dead, the sixth one dead, all
drives at half their strength. 100 Hz, shaken at random; all models see the same data, have layers
of the same size and learn for as many steps. Errors are those of the 16 steps after a window of 64,
each predicted from its true state, in squared standard deviations; means over windows, so that
outliers count. Writes results/half_cheetah_dynamics.json after each seed.
"""

import argparse
import dataclasses
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.build import build
from sim2real.meta.collect import collect, state_space
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.episodes import Episodes
from sim2real.meta.excite import Excitation
from sim2real.meta.fit import FitSettings, fit, fit_scaling
from sim2real.meta.gradient import GradientDynamics
from sim2real.meta.horizon import step_errors
from sim2real.meta.job import AdaptationSettings, DynamicsSettings
from sim2real.meta.maml import InnerSettings
from sim2real.meta.scaling import Scaling
from sim2real.meta.state import StateSpace
from sim2real.robot import Robot
from sim2real.shipped import find_robot

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

HZ, NJOINT, STEPS, QUERY, WINDOW = 100.0, 6, 400, 16, 64
ROBOTS, TEST_ROBOTS, WINDOWS = 480, 30, 1000
DYNAMICS = DynamicsSettings(hidden=(128, 128), activation="silu")
# in so many steps learned rates hardly move: begun at 0.01 they end between 0.01 and 0.03
INNER = InnerSettings(rate=0.3, learn_rates=True)
ADAPTATION = AdaptationSettings(window=WINDOW, inner=INNER)
METHODS = ("fine_tune", "gradient", "last_layer", "drives", "recurrent", "history")
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
TARGETS = {"unseen": 0.55, "half gears": 0.25, "seen": 0.7, "nominal": 1.05}

Array = NDArray[np.float64]
Data = dict[str, Episodes]


def main() -> None:
    """Train and test all models with each seed; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("medium")
    steps = 20 if chosen.quick else chosen.steps
    runs: list[dict[str, Any]] = []
    for seed in chosen.seeds:
        runs.append(_run(seed, steps))
        _report(runs, {"steps": steps, "targets": TARGETS, "quick": chosen.quick})


def _run(seed: int, steps: int) -> dict[str, Any]:
    robot = _robot()
    data, strengths, space = _collect(robot, seed)
    settings = FitSettings(steps=steps, query=QUERY, learning_rate=2e-3)
    rows: dict[str, Any] = {}
    for method in METHODS:
        model, seconds = _train(method, space, data["train"], settings, seed)
        if isinstance(model, GradientDynamics) and not model.meta:
            rows["none"] = _test(model, data, adapted=False) | {"seconds": seconds}
            model = _with_best_rate(model, data["train"], seed)
        rows[method] = _test(model, data) | {"seconds": seconds}
        rows[method]["unadapted"] = _test(model, data, adapted=False)
        print(seed, method, rows[method], flush=True)
    true = {
        name: dataclasses.replace(e, commands=e.commands * strengths[name][:, None])
        for name, e in data.items()
    }
    model, seconds = _train("none", space, true["train"], settings, seed)
    rows["true strengths"] = _test(model, true) | {"seconds": seconds}
    return {"seed": seed, "rows": rows}


def _robot() -> Robot:
    robot = find_robot("half_cheetah")
    strengths = {f"actuator.{name}.gain": {"scale": [0.0, 1.0]} for name in robot.driven}
    return dataclasses.replace(robot, control_hz=HZ, randomize=strengths, correlate=())


def _collect(robot: Robot, seed: int) -> tuple[Data, dict[str, torch.Tensor], StateSpace]:
    """Return transitions of training and of each test, and the strengths behind them."""
    one, rest = np.ones((TEST_ROBOTS, NJOINT)), np.arange(TEST_ROBOTS)
    unseen, seen = one.copy(), one.copy()
    unseen[:, 0] = 0.0
    seen[rest, 1 + rest % (NJOINT - 1)] = 0.0
    train = np.ones((ROBOTS, NJOINT))
    train[np.arange(ROBOTS), 1 + np.arange(ROBOTS) % (NJOINT - 1)] = 0.0
    worlds = {
        "train": train,
        "seen": seen,
        "nominal": one,
        "unseen": unseen,
        "half gears": 0.5 * one,
    }
    data, env = {}, None
    for number, (name, strengths) in enumerate(worlds.items()):
        env = RobotVectorEnv(robot, len(strengths), seed=10 * seed + number)
        env.reset(options={"worlds": strengths * env.randomizer.parameters.nominal})
        shake = Excitation(10 * seed + number, len(strengths), NJOINT, HZ)
        data[name] = collect(env, STEPS, shake)
    assert env is not None
    tensors = {name: torch.from_numpy(w.astype(np.float32)) for name, w in worlds.items()}
    return data, tensors, state_space(env)


def _train(
    method: Any, space: StateSpace, data: Episodes, settings: FitSettings, seed: int
) -> tuple[Dynamics, float]:
    adaptation = dataclasses.replace(ADAPTATION, method=method)
    model = build(Scaling(space), DYNAMICS, adaptation, seed=seed)
    fit_scaling(model, data)
    begun = time.process_time()
    fit(model, data, settings, seed=seed)
    return model.eval(), round(time.process_time() - begun, 1)


def _with_best_rate(model: GradientDynamics, data: Episodes, seed: int) -> GradientDynamics:
    """Set the inner rate that does best on the robots of the training."""
    errors = {}
    for rate in RATES:
        model.maml.log_rates.data.fill_(math.log(rate))
        errors[rate] = _errors(model, data, adapted=True, seed=seed, count=250).mean()
    model.maml.log_rates.data.fill_(math.log(min(errors, key=lambda rate: errors[rate])))
    return model


def _test(model: Dynamics, data: Data, *, adapted: bool = True) -> dict[str, Any]:
    result = {}
    for name in TARGETS:
        errors = _errors(model, data[name], adapted=adapted, seed=0, count=WINDOWS)
        result[name] = {"mean": float(errors.mean()), "median": float(errors.median())}
    return result


@torch.no_grad()
def _errors(
    model: Dynamics, data: Episodes, *, adapted: bool, seed: int, count: int
) -> torch.Tensor:
    """Return the errors (count,) of windows that are full."""
    generator = torch.Generator().manual_seed(seed)
    robots = torch.randint(data.shape[0], (count,), generator=generator)
    starts = torch.randint(WINDOW, data.shape[1] - QUERY, (count,), generator=generator)
    errors = []
    for rows in torch.arange(count).split(250):
        both = data.window(robots[rows], starts[rows], WINDOW, QUERY)
        past, query = both[slice(None, WINDOW)], both[slice(WINDOW, None)]
        found = model.adapt(past) if adapted else model.unadapted(len(rows))
        errors.append(step_errors(found, query))
    return torch.cat(errors)


def _report(runs: list[dict[str, Any]], settings: dict[str, Any]) -> None:
    ratios: dict[str, dict[str, list[float]]] = {}
    for method in runs[0]["rows"]:
        ratios[method] = {
            name: [r["rows"][method][name]["mean"] / r["rows"]["none"][name]["mean"] for r in runs]
            for name in TARGETS
        }
        print(
            method, {name: np.round(values, 3).tolist() for name, values in ratios[method].items()}
        )
    settings |= {"robots": ROBOTS, "hidden": DYNAMICS.hidden, "window": WINDOW, "hz": HZ}
    results = {"runs": runs, "error as a share of the unadapted model's": ratios}
    print(_result.save("half_cheetah_dynamics", settings=settings, results=results), flush=True)


if __name__ == "__main__":
    main()
