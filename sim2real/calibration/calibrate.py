"""Logs in, posterior out: the calibration as one call."""

import hashlib
import json
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
from sim2real.calibration.choose import Candidate, choose
from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.fit import Fit
from sim2real.calibration.logs import read_log
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Recipe
from sim2real.calibration.residual import Residual
from sim2real.calibration.validation import Prediction, predictions
from sim2real.errors import CalibrationError
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

Log = Path | Trajectory


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What became of one parameter, in SI units."""

    name: str
    nominal: float
    value: float
    interval: tuple[float, float]
    """Holds 95 %."""
    verdict: str
    """`identified`, or `not identified: ...` with the reason."""

    @property
    def identified(self) -> bool:
        """Whether the logs told more than the prior."""
        return self.verdict == identifiability.IDENTIFIED


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted posterior and everything needed to judge it."""

    robot: str
    posterior: Posterior
    estimates: tuple[Estimate, ...]
    fitted: tuple[Prediction, ...]
    """Errors on the logs that were fitted."""
    held_out: tuple[Prediction, ...]
    """Errors on logs that were not; empty if there were none."""
    candidates: tuple[Candidate, ...]
    """Classes of models that were tried; empty if there was one."""
    windows: int
    """How many were fitted."""
    dropped: dict[str, int]
    """Reason → how many windows were left out for it."""
    noise: float
    """Scale of what the calibrated model leaves unexplained [rad]."""
    fit_seconds: float
    logs: dict[str, str]
    """Name of each fitted log → hash of its contents."""
    held_out_logs: dict[str, str]
    versions: dict[str, str]
    seed: int

    @property
    def improves(self) -> bool:
        """Whether the calibrated model beats the nominal one at every held-out horizon."""
        return bool(self.held_out) and all(p.calibrated < p.nominal for p in self.held_out)

    def save(self, folder: Path) -> None:
        """Write `posterior.toml` and `calibration.json`, each whole or not at all."""
        self.posterior.save(folder / "posterior.toml")
        report = config.to_dict(self)
        del report["posterior"]
        report["improves"] = self.improves
        text = json.dumps(report, indent=2, allow_nan=False)
        config.write_atomically(folder / "calibration.json", text.encode())


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
    coordinates = problem.coordinates
    on_progress(f"fitting {len(coordinates.names)} parameters to {len(fitted)} logs")
    found, residual = problem.solve(fitted, seed=seed)
    windows = residual.windows
    posterior, verdicts = _judge(found, residual)
    seconds = time.monotonic() - begin
    on_progress("predicting fitted and held-out logs")
    values = np.stack([coordinates.nominal, coordinates.values(found.z)])
    calibration = Calibration(
        robot=robot.name,
        posterior=posterior,
        estimates=_estimates(coordinates, posterior, verdicts),
        fitted=predictions(problem, fitted, values),
        held_out=predictions(problem, held_out, values),
        candidates=candidates,
        windows=len(windows),
        dropped=windows.dropped,
        noise=found.weighting.noise,
        fit_seconds=round(seconds, 3),
        logs=_hashes(fitted),
        held_out_logs=_hashes(held_out),
        versions=_versions(),
        seed=seed,
    )
    return replace(calibration, posterior=replace(posterior, origin=_origin(calibration)))


def _trajectory(log: Log, recipe: Recipe, robot: Robot) -> Trajectory:
    if isinstance(log, Path):
        return read_log(log, recipe, robot)
    if log.joints != tuple(robot.joints) or log.driven != robot.driven:
        raise CalibrationError(
            f"{log.source}: joints {', '.join(log.joints)}, but robot {robot.name!r} has"
            f" {', '.join(robot.joints)}"
        )
    return log


def _judge(found: Fit, residual: Residual) -> tuple[Posterior, tuple[str, ...]]:
    windows, coordinates = residual.windows, residual.coordinates
    within = uncertainty.within_logs(found, windows)
    total = uncertainty.capped_at_prior(within + uncertainty.between_logs(found, windows))
    slope = coordinates.slope(found.z)
    posterior = Posterior(
        names=coordinates.names,
        mean=tuple(coordinates.values(found.z).tolist()),
        covariance=tuple(map(tuple, (slope[:, None] * total * slope).tolist())),
        lower=tuple(coordinates.lower.tolist()),
        upper=tuple(coordinates.upper.tolist()),
        origin={},
    )
    information = found.information.sum(axis=0)
    return posterior, identifiability.verdicts(coordinates.names, information, within)


def _estimates(
    coordinates: Coordinates, posterior: Posterior, verdicts: tuple[str, ...]
) -> tuple[Estimate, ...]:
    rows = zip(
        coordinates.names,
        coordinates.nominal.tolist(),
        posterior.mean,
        posterior.interval().tolist(),
        verdicts,
        strict=True,
    )
    return tuple(
        Estimate(name=name, nominal=nominal, value=value, interval=(low, high), verdict=verdict)
        for name, nominal, value, (low, high), verdict in rows
    )


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


def _versions() -> dict[str, str]:
    return {
        "sim2real": sim2real.__version__,
        "mujoco": mujoco.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


def _origin(calibration: Calibration) -> dict[str, Any]:
    parts = ("robot", "logs", "held_out_logs", "held_out", "windows", "versions", "seed")
    return {name: config.to_dict(getattr(calibration, name)) for name in parts}
