"""Logs of one problem in; its parameters, how sure they are, and what pushed the robot, out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration import identifiability, uncertainty
from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.disturbances import Disturbance, find_disturbances
from sim2real.calibration.fit import Fit
from sim2real.calibration.latency import lags, with_lags
from sim2real.calibration.problem import Problem
from sim2real.calibration.progress import UNTOLD, Progress
from sim2real.calibration.residual import Residual
from sim2real.calibration.windows import Windows
from sim2real.parameters.posterior import Posterior
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]


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
    jacobian_interval: tuple[float, float] | None = None
    """What (JᵀJ)⁻¹ alone would claim for 95 %: far too narrow on real logs."""

    @property
    def identified(self) -> bool:
        """Whether the logs told more than the prior."""
        return self.verdict == identifiability.IDENTIFIED


@dataclass(frozen=True, kw_only=True)
class Covariances:
    """Of the unknowns in z, each (p, p)."""

    jacobian: Array
    """(JᵀJ + I)⁻¹, for white noise and a perfect model."""
    within: Array
    """As told by blocks of windows."""
    total: Array
    """With the differences between logs."""


@dataclass(frozen=True, kw_only=True)
class Estimated:
    """The fit of a problem to logs."""

    problem: Problem
    fit: Fit
    windows: Windows
    """Those that were fitted."""
    pushes: tuple[Disturbance, ...]
    """Found, and not fitted."""
    latency: dict[str, float]
    """Joint → by how much its motion lags behind the nominal model's, by cross-correlation [s]."""
    spread: Covariances

    @property
    def values(self) -> Array:
        """The unknowns at the optimum (p,)."""
        return self.problem.coordinates.values(self.fit.z)

    def posterior(self, run: str = "") -> Posterior:
        """Return the posterior of what all logs share, or of that and a run's own instead."""
        coordinates, unknowns = self.problem.coordinates, self.problem.recipe.unknowns
        own = {unknown.parameter for unknown in unknowns if run and unknown.run == run}
        kept = [
            i
            for i, unknown in enumerate(unknowns)
            if unknown.run == run or (not unknown.run and unknown.parameter not in own)
        ]
        slope = coordinates.slope(self.fit.z)
        scaled = (slope[:, None] * self.spread.total * slope)[np.ix_(kept, kept)]
        return Posterior(
            names=tuple(unknowns[i].parameter for i in kept),
            mean=tuple(self.values[kept].tolist()),
            covariance=tuple(map(tuple, scaled.tolist())),
            lower=tuple(coordinates.lower[kept].tolist()),
            upper=tuple(coordinates.upper[kept].tolist()),
            origin={},
        )

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Each unknown with its interval and what the logs say about it."""
        coordinates, found = self.problem.coordinates, self.fit
        information = found.information.sum(axis=0)
        verdicts = identifiability.verdicts(coordinates.names, information, self.spread.within)
        total, jacobian = (
            _interval(coordinates, found, np.sqrt(np.diag(covariance)))
            for covariance in (self.spread.total, self.spread.jacobian)
        )
        return tuple(
            Estimate(
                name=name,
                nominal=float(coordinates.nominal[i]),
                value=float(self.values[i]),
                interval=total[i],
                jacobian_interval=jacobian[i],
                verdict=verdicts[i],
            )
            for i, name in enumerate(coordinates.names)
        )


def estimate(
    problem: Problem, logs: Sequence[Trajectory], *, seed: int, progress: Progress = UNTOLD
) -> Estimated:
    """Return the fit of a problem to logs; raises CalibrationError if they hold nothing to fit.

    From then on the problem leaves out the stretches in which something pushed.
    """
    # logs that hold too little are refused before long work on them
    windows = problem.residual(logs, problem.recipe.windows.refine).windows
    identifiability.require_comparison(windows)
    at = problem.coordinates
    nominal = np.clip(at.nominal, at.lower, at.upper)
    progress.start()
    lag = lags(problem, logs, nominal)
    hint = at.z(with_lags(problem, nominal, lag))
    found, residual, pushes = _solve(problem, logs, seed, hint, progress)
    return Estimated(
        problem=problem,
        fit=found,
        windows=residual.windows,
        pushes=pushes,
        latency={joint: round(value, 5) for joint, value in lag.items()},
        spread=_covariances(found, residual.windows),
    )


def _solve(
    problem: Problem, logs: Sequence[Trajectory], seed: int, hint: Array, progress: Progress
) -> tuple[Fit, Residual, tuple[Disturbance, ...]]:
    """Return the fit without the stretches in which something pushed, told by a first fit."""
    found, residual = problem.solve(logs, seed=seed, hint=hint, progress=progress.span(0, 0.7))
    pushes = find_disturbances(problem, logs, problem.coordinates.values(found.z))
    if pushes:
        problem.leave_out([(push.log, push.begin, push.end, "pushed") for push in pushes])
        again = progress.span(0.7, 1, "fitting without pushes")
        found, residual = problem.solve(logs, seed=seed, start=found.z, progress=again)
    return found, residual, pushes


def _covariances(found: Fit, windows: Windows) -> Covariances:
    information = found.information.sum(axis=0)
    white = np.linalg.inv(information * found.weighting.redundancy + np.eye(len(found.z)))
    within = uncertainty.within_logs(found, windows)
    total = uncertainty.capped_at_prior(within + uncertainty.between_logs(found, windows))
    return Covariances(jacobian=white, within=within, total=total)


def _interval(coordinates: Coordinates, found: Fit, std: Array) -> list[tuple[float, float]]:
    reach = 1.959964 * std * coordinates.slope(found.z)
    values = coordinates.values(found.z)
    low = np.clip(values - reach, coordinates.lower, coordinates.upper)
    high = np.clip(values + reach, coordinates.lower, coordinates.upper)
    return list(zip(low.tolist(), high.tolist(), strict=True))
