"""What the benchmarks on real logs share: where the logs are, and errors over their windows."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

from sim2real.calibration.logs import read_log
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Recipe
from sim2real.robot import Robot
from sim2real.shipped import folder
from sim2real.trajectory import Trajectory

LOGS = Path(
    os.environ.get("SIM2REAL_LOGS", Path(__file__).resolve().parents[3] / "shared" / "logs")
)


def recipe_of(name: str, **windows: Any) -> Recipe:
    """Return a shipped recipe, its windows changed where that is said."""
    recipe = Recipe.load(folder("calibration") / name)
    return replace(recipe, windows=replace(recipe.windows, **windows))


def logs_of(recipe: Recipe, robot: Robot, paths: Sequence[Path]) -> list[Trajectory]:
    """Return the logs in files; stops where the folder with the real ones is absent."""
    if not LOGS.is_dir():
        raise SystemExit(f"no real logs in {LOGS}: set SIM2REAL_LOGS")
    return [read_log(path, recipe, robot) for path in paths]


def errors(
    problem: Problem,
    logs: Sequence[Trajectory],
    values: Mapping[str, Any],
    seconds: float,
    **windows: Any,
) -> dict[str, Any]:
    """Return errors of unknowns (p,) by label over windows of the logs [rad]."""
    given, recipe = (
        problem.recipe,
        replace(
            problem.recipe,
            windows=replace(problem.recipe.windows, **{"stride": seconds, **windows}),
        ),
    )
    problem.recipe = recipe
    try:
        cut = problem.windows(logs, seconds)
        if not len(cut):
            return {"windows": 0}
        error = problem.predict(logs, cut, np.array(list(values.values()))) - cut.measured
    finally:
        problem.recipe = given
    return {"windows": len(cut)} | {
        label: {
            "rmse": _round(np.sqrt((e**2).mean())),
            "median": _round(np.median(np.sqrt((e**2).mean(axis=(1, 2))))),
            "mae": _round(np.abs(e).mean()),
        }
        for label, e in zip(values, error, strict=True)
    }


def timed(action: Any) -> tuple[Any, dict[str, float]]:
    """Return what an action returns, and its seconds by the clock and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return result, {name: round(value, 2) for name, value in spent.items()}


def save(name: str, settings: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    """Write `results/calibration_<name>.json`, and print it."""
    for key, value in results.items():
        print(f"{key}: {value}")
    path = _result.save(
        f"calibration_{name}", settings={"quick": False, **settings}, results=results
    )
    print("written:", path)


def previous(name: str) -> dict[str, Any]:
    """Return the results that `save` wrote before; {} if there are none."""
    return _result.previous(f"calibration_{name}")


def _round(number: Any) -> float:
    return float(f"{float(number):.4g}")
