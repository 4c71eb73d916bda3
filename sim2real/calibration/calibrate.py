"""Logs in, posterior out: the calibration as one call."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sim2real import config
from sim2real.calibration import uncertainty
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
from sim2real.calibration.estimate import Estimated, estimate
from sim2real.calibration.logs import read_log
from sim2real.calibration.origin import log_hashes, model_hash, require_distinct, versions
from sim2real.calibration.problem import Problem
from sim2real.calibration.progress import Progress, Told, nobody
from sim2real.calibration.recipe import Recipe
from sim2real.calibration.result import Calibration
from sim2real.calibration.segments import find_segments, not_fitted
from sim2real.calibration.validation import predictions
from sim2real.calibration.widening import widening
from sim2real.errors import CalibrationError
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

Log = Path | Trajectory

_READ, _CHOSEN, _FITTED = 0.05, 0.5, 0.85
"""Shares of the work that are done when logs are read, a model is chosen, and it is fitted."""


def calibrate(
    robot: Robot,
    recipe: Recipe,
    fit_logs: Sequence[Log],
    held_out_logs: Sequence[Log] = (),
    *,
    seed: int = 0,
    nthread: int = 1,
    on_progress: Told = nobody,
) -> Calibration:
    """Return the parameters of the recipe as the logs tell them.

    Args:
        robot: the robot that was recorded, with its nominal model.
        recipe: what to fit and which parts of the logs count.
        fit_logs: files or trajectories to fit.
        held_out_logs: files or trajectories to check the fit with; nothing is tuned to them.
        seed: of the starting points.
        nthread: threads to simulate with.
        on_progress: told what is being done, and the share of the work that is done.

    Raises:
        LogError: a log is damaged or not this robot's.
        CalibrationError: the logs hold nothing to fit, or the same rows twice.
    """
    if seed < 0 or nthread < 1:
        raise CalibrationError(f"seed = {seed} must be at least 0, nthread = {nthread} at least 1")
    if not fit_logs:
        raise CalibrationError("no logs to fit: name at least one")
    if recipe.widen and not held_out_logs:
        raise CalibrationError("widen: no log is held out: hold one out, or do not widen")
    progress = Progress(on_progress)
    logs = _read([*fit_logs, *held_out_logs], recipe, robot, progress.span(0, _READ))
    fitted, held_out = logs[: len(fit_logs)], logs[len(fit_logs) :]
    require_distinct(fitted, held_out)
    begin = time.monotonic()
    recipe = with_runs_of(recipe, fitted, held_out)
    problem = Problem(robot, recipe, nthread=nthread)
    segments = find_segments(logs, robot, recipe.logs.leave_out)
    problem.leave_out(not_fitted(segments))
    chosen = _READ if recipe.choose is None else _CHOSEN
    problem, candidates = choose(problem, fitted, seed=seed, progress=progress.span(_READ, chosen))
    what = f"fitting {len(problem.names)} parameters to {len(fitted)} logs"
    found = estimate(problem, fitted, seed=seed, progress=progress.span(chosen, _FITTED, what))
    found, factor = _widened(found, held_out) if recipe.widen else (found, 1.0)
    seconds = time.monotonic() - begin
    predicting = progress.span(_FITTED, 1.0, "predicting fitted and held-out logs")
    predicting.start()
    compared = _compared(problem, found.values)
    bands = _bands(found, fitted, held_out or fitted, predicting)
    calibration = Calibration(
        robot=robot.name,
        posterior=found.posterior(),
        widened=factor,
        run_posteriors={run: found.posterior(run) for run in recipe.runs},
        estimates=found.estimates,
        fitted=predictions(problem, fitted, compared),
        held_out=predictions(problem, held_out, compared),
        coverage=bands[0],
        shown=bands[1],
        latency=found.latency,
        candidates=candidates,
        disturbances=found.pushes,
        segments=segments,
        horizons=recipe.windows.horizons,
        windows=len(found.windows),
        dropped=found.windows.dropped,
        noise=found.fit.weighting.noise,
        fit_seconds=round(seconds, 3),
        logs=log_hashes(fitted),
        held_out_logs=log_hashes(held_out),
        model=model_hash(robot),
        versions=versions(),
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


def _compared(problem: Problem, values: Array) -> Array:
    """Return nominal and calibrated unknowns, and published ones if the recipe knows any (_, p)."""
    nominal, told = problem.coordinates.nominal, problem.recipe.published
    names = [unknown.parameter for unknown in problem.recipe.unknowns]
    others = [told.get(name, own) for name, own in zip(names, nominal, strict=True)]
    return np.array([nominal, values, *([others] if told else [])])


def _widened(found: Estimated, held_out: Sequence[Trajectory]) -> tuple[Estimated, float]:
    """Return the estimate with a posterior that holds held-out logs, and the factor it takes."""
    grid, spread = found.problem.grid, found.spread
    seconds = found.windows.measured.shape[1] * grid.timestep * grid.every
    factor = widening(found.problem.residual(held_out, seconds), found.fit.z, spread.total)
    # nowhere beyond the prior, in which the logs' model is thought to lie
    total = uncertainty.capped_at_prior(factor * spread.total)
    return replace(found, spread=replace(spread, total=total)), round(factor, 3)


def _bands(
    estimated: Estimated,
    fitted: Sequence[Trajectory],
    logs: Sequence[Trajectory],
    progress: Progress,
) -> tuple[tuple[Coverage, ...], tuple[Shown, ...]]:
    """Return how often bands hold in logs, and windows with the one that takes all into account."""
    problem, found, spread = estimated.problem, estimated.fit, estimated.spread
    missed = inadequacy(problem, fitted, estimated.windows, found, spread.total)
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
    sampled = {}
    for i, (kind, what) in enumerate(kinds.items()):
        progress.part(i + 1, len(kinds) + 1).start()
        sampled[kind] = draws(problem, logs, part, found.z, what)
    both = problem.predict(logs, part, np.stack([problem.coordinates.nominal, estimated.values]))
    step = problem.grid.timestep * problem.grid.every
    return (
        tuple(coverage(kind, each, part.measured) for kind, each in sampled.items()),
        shown(logs, part, list(sampled.values())[-1], both, step),
    )


def _read(
    logs: Sequence[Log], recipe: Recipe, robot: Robot, progress: Progress
) -> list[Trajectory]:
    found = []
    for i, log in enumerate(logs):
        name = log.name if isinstance(log, Path) else log.source
        progress.part(i, len(logs), f"reading {name}").start()
        found.append(_trajectory(log, recipe, robot))
    return found


def _trajectory(log: Log, recipe: Recipe, robot: Robot) -> Trajectory:
    if isinstance(log, Path):
        return read_log(log, recipe, robot)
    if log.joints != tuple(robot.joints) or log.driven != robot.driven:
        raise CalibrationError(
            f"{log.source}: joints {', '.join(log.joints)}, but robot {robot.name!r} has"
            f" {', '.join(robot.joints)}"
        )
    return log


def _origin(calibration: Calibration) -> dict[str, Any]:
    parts = (
        *("robot", "model", "logs", "held_out_logs", "held_out", "windows", "versions", "seed"),
    )
    return {name: config.to_dict(getattr(calibration, name)) for name in parts}
