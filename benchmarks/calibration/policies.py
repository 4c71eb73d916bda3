"""What a calibration is for: policies trained on its posterior, on the nominal model, and widely.

    python benchmarks/calibration/policies.py [--robots pendulum ...] [--seeds 0 1 ...] [--quick]

Each policy is trained with the robot's shipped job under one of three beliefs about the recipe's
parameters: nominal; nominal within 50 %; the posterior of the fitted logs. It is tested on models
of which each was fitted to one held-out log. All else, sensors' noise among it, is alike.
The nominal SO-101 is the published one: the shipped one's gains come from a fit to such logs.
One training at a time, with one thread; results/calibration_policies.json is written after each,
and what stands there already is not trained again.
"""

import argparse
import dataclasses
import multiprocessing
import tempfile
import time
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from _rows import LOGS, _result, logs_of, previous, recipe_of

from sim2real import shipped
from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.estimate import Estimated, estimate
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Recipe
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.robot import Robot
from sim2real.training.job import Job, find_job
from sim2real.training.run import train
from sim2real.training.saved import load_policy

SEED, WORLDS, WORLD_SEED, WIDE = 0, 256, 3_000_000, 0.5
TARGETS = {"posterior": "at least the better of nominal and wide, in mean and in the worst log"}
SENSORS = ("position_noise", "velocity_noise")
BELIEFS = ("nominal", "wide", "posterior")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A robot with real logs."""

    recipe: str
    steps: int
    """Of a training."""
    published: bool = False
    """Whether the recipe's published values are the nominal ones."""
    windows: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What differs from the recipe's windows."""
    left_out: tuple[str, ...] = ()
    """Optional parameters of the recipe that are not fitted."""
    gain: int | None = None
    """Firmware gain of the logs that are held out, and of the robot that learns."""


CASES = {
    "pendulum": Case(recipe="pendulum_dfki", steps=2_000_000),
    # the servo of a gain that no fitted log has, with Coulomb friction alone (class M1)
    "xl330": Case(
        recipe="xl330",
        steps=500_000,
        gain=400,
        windows={"refine": None, "stride": 1.0},  # a log of 6 s has to have several
        left_out=(
            "joint.servo.stiction",
            "joint.servo.stribeck_velocity",
            "joint.servo.load_friction",
            "joint.servo.load_stiction",
            "actuator.servo.saturation",
            "actuator.servo.thermal_loss",
        ),
    ),
    "so101": Case(recipe="so101_sage", steps=4_000_000, published=True),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One policy to train, and where to test it; picklable."""

    belief: str
    job: Job
    tests: Mapping[str, str]
    """Held-out log → the folder of the robot that was fitted to it."""


def main() -> None:
    """Fit, train, test and write results/calibration_policies.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robots", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    settings = {
        "seed": SEED, "worlds": WORLDS, "wide": WIDE, "targets": TARGETS, "quick": chosen.quick,
        "cases": {name: dataclasses.asdict(case) for name, case in CASES.items()},
    }  # fmt: skip
    results = {} if chosen.quick else previous("policies")
    for name in chosen.robots:
        steps = 10_000 if chosen.quick else CASES[name].steps
        with tempfile.TemporaryDirectory() as folder:
            trainings, told = prepared(name, Path(folder), chosen.seeds, steps)
            earlier = results.get(name, {})
            runs = list(earlier["runs"]) if told.items() <= earlier.items() else []
            done = {(run["belief"], run["seed"]) for run in runs}
            trainings = [each for each in trainings if (each.belief, each.job.seed) not in done]
            with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
                for run in pool.imap(trained, trainings):
                    print(name, run, flush=True)
                    runs.append(run)
                    results[name] = told | {"summary": summary(runs), "runs": runs}
                    path = _result.save("calibration_policies", settings=settings, results=results)
                    print("written:", path, flush=True)
        print(name, *results[name]["summary"].items(), sep="\n", flush=True)


def prepared(
    name: str, folder: Path, seeds: list[int], steps: int
) -> tuple[list[Training], dict[str, Any]]:
    """Return the trainings of a robot, and the models that they know and are tested on."""
    case, robot = CASES[name], shipped.find_robot(name)
    recipe = recipe_of(case.recipe, **case.windows)
    fitted = logs_of(recipe, robot, recipe.fit_files(LOGS / name))
    if case.gain is None:
        held_out = logs_of(recipe, robot, recipe.held_out_files(LOGS / name))
    else:
        held_out = [log for log in fitted if log.facts["kp"] == case.gain]
        fitted = [log for log in fitted if log.facts["kp"] != case.gain]
    recipe = with_runs_of(recipe, fitted, held_out)
    posterior = _estimated(robot, recipe, fitted, case)
    nominal = dict(zip(posterior.problem.names, posterior.problem.coordinates.nominal, strict=True))
    nominal |= recipe.published if case.published else {}
    posterior.posterior().save(folder / "posterior.toml")
    truths = {
        Path(log.source).stem.removesuffix("__state_motor"): dict(
            zip(nominal, _estimated(robot, recipe, [log], case).values, strict=True)
        )
        for log in held_out
    }
    known = of_gain(recipe, case.gain)
    ranges = {
        "nominal": _exactly(nominal | known),
        "wide": {k: ((1 - WIDE) * v, (1 + WIDE) * v) for k, v in nominal.items()} | _exactly(known),
        "posterior": _exactly(known),
    }
    tests = {
        log: written(robot, folder / log, _exactly(values | known))
        for log, values in truths.items()
    }
    base = dataclasses.replace(find_job(name), steps=steps, nthread=1, log_worlds=False)
    trainings = [
        Training(
            belief=belief,
            tests=tests,
            job=dataclasses.replace(
                base,
                seed=seed,
                robot=written(robot, folder / f"{belief}-{seed}", ranges[belief]),
                posterior=str(folder / "posterior.toml") if belief == "posterior" else None,
            ),
        )
        for seed in seeds
        for belief in BELIEFS
    ]
    spread = np.sqrt(np.diag(posterior.posterior().covariance))
    told = {
        "steps": steps,
        "nominal": _rounded(nominal),
        "posterior": _rounded(dict(zip(nominal, posterior.values, strict=True))),
        "standard deviation": _rounded(dict(zip(nominal, spread, strict=True))),
        "fitted to held-out logs": {log: _rounded(values) for log, values in truths.items()},
    }
    return trainings, told


def _estimated(robot: Robot, recipe: Recipe, logs, case: Case) -> Estimated:
    return estimate(Problem(robot, recipe).without(case.left_out), logs, seed=SEED)


def of_gain(recipe: Recipe, gain: int | None) -> dict[str, float]:
    """Return what is known of a robot whose firmware has a gain."""
    if gain is None:
        return {}
    return {name: gain * fact.scale for name, fact in recipe.known.items() if fact.fact == "kp"}


def written(robot: Robot, folder: Path, ranges: Mapping[str, tuple[float, float]]) -> str:
    """Write the robot with its sensors' noise and `ranges` as all that is random; return where."""
    table = tomllib.loads((robot.folder / "robot.toml").read_text())
    kept = {k: v for k, v in table["randomize"].items() if k.rsplit(".", 1)[-1] in SENSORS}
    drawn = {name: {"set": [float(low), float(high)]} for name, (low, high) in ranges.items()}
    model = str(robot.model_path)
    folder.mkdir()
    (folder / "robot.toml").write_text(
        tomli_w.dumps(table | {"model": model, "randomize": kept | drawn})
    )
    return str(folder)


def trained(training: Training) -> dict[str, Any]:
    """Train a policy and return its mean return and success on each held-out log's model."""
    warnings.simplefilter("ignore")
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        result = train(training.job, Path(name) / "run")
        policy = load_policy(Path(name) / "run")
    tested = {
        log: evaluate(
            RobotVectorEnv(shipped.find_robot(folder), WORLDS, seed=WORLD_SEED),
            policy.act,
            seed=WORLD_SEED,
        ).summary()
        for log, folder in training.tests.items()
    }
    return {
        "belief": training.belief,
        "seed": training.job.seed,
        "cpu minutes": round((time.process_time() - begin) / 60, 2),
        "where it was trained": round(result.evaluation["return"], 1),
        "return": {log: round(each["return"], 1) for log, each in tested.items()},
        "success": {log: round(each["success"], 3) for log, each in tested.items()},
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return each belief's mean return over logs and seeds, and of each seed's worst log."""
    told = {}
    for belief in dict.fromkeys(run["belief"] for run in runs):
        own = np.array([list(run["return"].values()) for run in runs if run["belief"] == belief])
        success = [list(run["success"].values()) for run in runs if run["belief"] == belief]
        told[belief] = {
            "mean": round(float(own.mean()), 1),
            "worst log": round(float(own.min(axis=1).mean()), 1),
            "worst log of the worst seed": round(float(own.min()), 1),
            "standard error": round(float(own.mean(axis=1).std() / np.sqrt(len(own))), 1),
            "success": round(float(np.mean(success)), 3),
        }
    return told


def _exactly(values: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (value, value) for name, value in values.items()}


def _rounded(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(f"{float(value):.4g}") for name, value in values.items()}


if __name__ == "__main__":
    main()
