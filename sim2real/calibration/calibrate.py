"""Logs in, posterior out: the calibration as one call."""

import hashlib
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import scipy

import sim2real
from sim2real import config
from sim2real.calibration import identifiability, uncertainty
from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.bands import (
    Coverage,
    Shown,
    Uncertain,
    coverage,
    draws,
    inadequacy,
    shown,
)
from sim2real.calibration.choose import choose
from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.disturbances import Disturbance, find_disturbances
from sim2real.calibration.fit import Fit
from sim2real.calibration.latency import lags, with_lags
from sim2real.calibration.logs import read_log
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Recipe
from sim2real.calibration.residual import Residual
from sim2real.calibration.result import Calibration, Estimate
from sim2real.calibration.validation import predictions
from sim2real.calibration.windows import Windows
from sim2real.errors import CalibrationError
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

Log = Path | Trajectory


def calibrate(
    robot: Robot,
    recipe: Recipe,
    fit_logs: Sequence[Log],
    held_out_logs: Sequence[Log] = (),
    *,
    seed: int = 0,
    nthread: int = 1,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Calibration:
    """Return the parameters of the recipe as the logs tell them.

    Args:
        robot: the robot that was recorded, with its nominal model.
        recipe: what to fit and which parts of the logs count.
        fit_logs: files or trajectories to fit.
        held_out_logs: files or trajectories to check the fit with; nothing is tuned to them.
        seed: of the starting points.
        nthread: threads to simulate with.
        on_progress: told what is being done.

    Raises:
        LogError: a log is damaged or not this robot's.
        CalibrationError: the logs hold nothing to fit.
    """
    if not fit_logs:
        raise CalibrationError("no logs to fit: name at least one")
    on_progress(f"reading {len(fit_logs) + len(held_out_logs)} logs")
    fitted = [_trajectory(log, recipe, robot) for log in fit_logs]
    held_out = [_trajectory(log, recipe, robot) for log in held_out_logs]
    begin = time.monotonic()
    recipe = with_runs_of(recipe, fitted, held_out)
    problem, candidates = choose(
        Problem(robot, recipe, nthread=nthread), fitted, seed=seed, on_progress=on_progress
    )
    on_progress(f"fitting {len(problem.names)} parameters to {len(fitted)} logs")
    nominal = np.clip(
        problem.coordinates.nominal, problem.coordinates.lower, problem.coordinates.upper
    )
    lag = lags(problem, fitted, nominal)
    hint = problem.coordinates.z(with_lags(problem, nominal, lag))
    found, residual, pushes = _solve(problem, fitted, seed, hint)
    values = problem.coordinates.values(found.z)
    spread = _covariances(found, residual.windows)
    seconds = time.monotonic() - begin
    on_progress("predicting fitted and held-out logs")
    both = np.stack([problem.coordinates.nominal, values])
    bands = _bands(problem, fitted, held_out or fitted, residual.windows, found, spread)
    calibration = Calibration(
        robot=robot.name,
        posterior=_posterior(problem, found, spread.total),
        run_posteriors={run: _posterior(problem, found, spread.total, run) for run in recipe.runs},
        estimates=_estimates(problem, found, spread),
        fitted=predictions(problem, fitted, both),
        held_out=predictions(problem, held_out, both),
        coverage=bands[0],
        shown=bands[1],
        latency={joint: round(value, 5) for joint, value in lag.items()},
        candidates=candidates,
        disturbances=pushes,
        windows=len(residual.windows),
        dropped=residual.windows.dropped,
        noise=found.weighting.noise,
        fit_seconds=round(seconds, 3),
        logs=_hashes(fitted),
        held_out_logs=_hashes(held_out),
        model=_model_hash(robot),
        versions=_versions(),
        seed=seed,
    )
    origin = _origin(calibration)
    return replace(
        calibration,
        posterior=replace(calibration.posterior, origin=origin),
        run_posteriors={
            run: replace(each, origin=origin | {"run": run})
            for run, each in calibration.run_posteriors.items()
        },
    )


def _solve(
    problem: Problem, logs: Sequence[Trajectory], seed: int, hint: Array
) -> tuple[Fit, Residual, tuple[Disturbance, ...]]:
    """Return the fit without the stretches in which something pushed, told by a first fit."""
    found, residual = problem.solve(logs, seed=seed, hint=hint)
    pushes = find_disturbances(problem, logs, problem.coordinates.values(found.z))
    if pushes:
        problem.leave_out([(push.log, push.begin, push.end) for push in pushes])
        found, residual = problem.solve(logs, seed=seed, start=found.z)
    return found, residual, pushes


@dataclass(frozen=True)
class _Covariances:
    """Of the unknowns in z, each (p, p)."""

    jacobian: Array
    within: Array
    total: Array


def _covariances(found: Fit, windows: Windows) -> _Covariances:
    information = found.information.sum(axis=0)
    white = np.linalg.inv(information * found.weighting.redundancy + np.eye(len(found.z)))
    within = uncertainty.within_logs(found, windows)
    total = uncertainty.capped_at_prior(within + uncertainty.between_logs(found, windows))
    return _Covariances(white, within, total)


def _posterior(problem: Problem, found: Fit, covariance: Array, run: str = "") -> Posterior:
    """Return the posterior of what all logs share, or of that and a run's own instead."""
    coordinates, unknowns = problem.coordinates, problem.recipe.unknowns
    own = {unknown.parameter for unknown in unknowns if run and unknown.run == run}
    kept = [
        i
        for i, unknown in enumerate(unknowns)
        if unknown.run == run or (not unknown.run and unknown.parameter not in own)
    ]
    slope = coordinates.slope(found.z)
    scaled = (slope[:, None] * covariance * slope)[np.ix_(kept, kept)]
    return Posterior(
        names=tuple(unknowns[i].parameter for i in kept),
        mean=tuple(coordinates.values(found.z)[kept].tolist()),
        covariance=tuple(map(tuple, scaled.tolist())),
        lower=tuple(coordinates.lower[kept].tolist()),
        upper=tuple(coordinates.upper[kept].tolist()),
        origin={},
    )


def _estimates(problem: Problem, found: Fit, spread: _Covariances) -> tuple[Estimate, ...]:
    coordinates = problem.coordinates
    information = found.information.sum(axis=0)
    verdicts = identifiability.verdicts(coordinates.names, information, spread.within)
    values = coordinates.values(found.z)
    intervals = [
        _interval(coordinates, found, np.sqrt(np.diag(covariance)))
        for covariance in (spread.total, spread.jacobian)
    ]
    return tuple(
        Estimate(
            name=name,
            nominal=float(coordinates.nominal[i]),
            value=float(values[i]),
            interval=intervals[0][i],
            jacobian_interval=intervals[1][i],
            verdict=verdicts[i],
        )
        for i, name in enumerate(coordinates.names)
    )


def _interval(coordinates: Coordinates, found: Fit, std: Array) -> list[tuple[float, float]]:
    reach = 1.959964 * std * coordinates.slope(found.z)
    values = coordinates.values(found.z)
    low = np.clip(values - reach, coordinates.lower, coordinates.upper)
    high = np.clip(values + reach, coordinates.lower, coordinates.upper)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _bands(
    problem: Problem,
    fitted: Sequence[Trajectory],
    logs: Sequence[Trajectory],
    windows: Windows,
    found: Fit,
    spread: _Covariances,
) -> tuple[tuple[Coverage, ...], tuple[Shown, ...]]:
    """Return how often bands hold in logs, and windows with the one that takes all into account."""
    missed = inadequacy(problem, fitted, windows, found, spread.total)
    part = problem.windows(logs, missed.shape[0] * problem.grid.timestep * problem.grid.every)
    if not len(part):
        return (), ()
    kinds = {
        "Jacobian only": Uncertain(covariance=spread.jacobian, start=False),
        "Jacobian, start states, sensors": Uncertain(covariance=spread.jacobian),
        "blocks of windows": Uncertain(covariance=spread.within),
        "between logs": Uncertain(covariance=spread.total),
        "all, with the model's errors": Uncertain(covariance=spread.total, inadequacy=missed),
    }
    sampled = {kind: draws(problem, logs, part, found.z, what) for kind, what in kinds.items()}
    best = problem.coordinates.values(found.z)
    both = problem.predict(logs, part, np.stack([problem.coordinates.nominal, best]))
    step = problem.grid.timestep * problem.grid.every
    return (
        tuple(coverage(kind, each, part.measured) for kind, each in sampled.items()),
        shown(logs, part, list(sampled.values())[-1], both, step),
    )


def _trajectory(log: Log, recipe: Recipe, robot: Robot) -> Trajectory:
    if isinstance(log, Path):
        return read_log(log, recipe, robot)
    if log.joints != tuple(robot.joints) or log.driven != robot.driven:
        raise CalibrationError(
            f"{log.source}: joints {', '.join(log.joints)}, but robot {robot.name!r} has"
            f" {', '.join(robot.joints)}"
        )
    return log


def _hashes(logs: Sequence[Trajectory]) -> dict[str, str]:
    return {Path(log.source).name or f"log {i}": _hash(log) for i, log in enumerate(logs)}


def _hash(log: Trajectory) -> str:
    """Return a hash of the rows, the same whatever format they were stored in."""
    digest = hashlib.sha256()
    arrays: list[Array | Any] = [log.time - log.time[0], log.position, log.command]
    if log.command_time is not None:
        arrays.append(log.command_time - log.time[0])
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _model_hash(robot: Robot) -> str:
    """Return a hash of the robot's description and of its model file."""
    digest = hashlib.sha256()
    for path in (robot.folder / "robot.toml", robot.model_path):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _versions() -> dict[str, str]:
    return {
        "sim2real": sim2real.__version__,
        "mujoco": mujoco.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


def _origin(calibration: Calibration) -> dict[str, Any]:
    parts = (
        *("robot", "model", "logs", "held_out_logs", "held_out", "windows", "versions", "seed"),
    )
    return {name: config.to_dict(getattr(calibration, name)) for name in parts}
