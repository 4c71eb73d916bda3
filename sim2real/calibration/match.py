"""A source distribution moved towards logs: by SimOpt, DROPO or EPOpt's update."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

import sim2real
from sim2real.calibration import identifiability
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Recipe
from sim2real.errors import CalibrationError, ConfigError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.adaptive import epopt, gaussian, simopt
from sim2real.randomization.adaptive.box import Box
from sim2real.randomization.adaptive.dropo import DROPO, DROPOSettings
from sim2real.randomization.adaptive.epopt import EPOpt
from sim2real.randomization.adaptive.simopt import SimOpt, SimOptSettings
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class MatchJob:
    """What a launch file of `sim2real match` says."""

    recipe: str
    """A recipe that ships with the package, or a folder with a recipe.toml."""
    logs: tuple[str, ...] = ()
    """Log files, or one folder of which the recipe says which to fit."""
    robot: str | None = None
    """A shipped robot, or a folder with a robot.toml; the recipe's robot if not given."""
    method: Literal["simopt", "dropo", "epopt"] = "simopt"
    worlds: int = 200
    """Worlds that are simulated in a round of SimOpt or EPOpt."""
    rounds: int = 15
    """Rounds of SimOpt; at most so many steps of EPOpt."""
    noise: float = 0.02
    """Of EPOpt: what the best world still misses, as a standard deviation [rad]."""
    seed: int = 0
    nthread: int = 2
    """Threads of the simulator."""
    simopt: SimOptSettings = field(default_factory=SimOptSettings)
    dropo: DROPOSettings = field(default_factory=DROPOSettings)

    def __post_init__(self) -> None:
        for name in ("worlds", "rounds", "nthread"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: {getattr(self, name)} must be at least 1")
        if not self.noise > 0:
            raise ConfigError(f"noise: {self.noise} must be above 0")


@final
class Target:
    """What a robot did in logs, and what worlds of its simulation would have done instead.

    Logs are cut into windows as a calibration cuts them, each simulated from its own start.
    """

    def __init__(self, robot: Robot, recipe: Recipe, logs: Sequence[Trajectory], *, nthread: int):
        """Cut the logs of `robot`; raises CalibrationError if no window of them is left."""
        if recipe.runs:
            raise CalibrationError(
                f"runs {', '.join(recipe.runs)}: a distribution to train on is of one condition:"
                " leave the runs out of the recipe, or use `sim2real calibrate`"
            )
        self._problem, self._logs = Problem(robot, recipe, nthread=nthread), logs
        coordinates = self._problem.coordinates
        self._windows = self._problem.windows(logs, recipe.windows.seconds)
        identifiability.require_motion(self._windows, recipe.windows.seconds)
        self.box = Box(
            names=coordinates.names,
            low=coordinates.lower,
            high=coordinates.upper,
            nominal=np.clip(coordinates.nominal, coordinates.lower, coordinates.upper),
            logarithmic=np.zeros(len(coordinates.names), bool),
        )
        self.prior = _prior(recipe, coordinates.nominal, self.box)
        self.measured: Array = self._windows.measured
        """Positions (nwindow, nsample, njoint) [rad]."""
        motion = self.measured - self._windows.position[:, None]
        self.scale: Array = np.maximum(motion.std(axis=(0, 1)), 1e-9)
        """How far each joint moves in a window (njoint,) [rad]."""

    def predict(self, values: Array) -> Array:
        """Return the positions of worlds (m, p): (m, nwindow, nsample, njoint) [rad]."""
        return self._problem.predict(self._logs, self._windows, values)

    def error(self, values: Array) -> Array:
        """Return the root mean square error of each world's positions (m,) [rad]."""
        return np.sqrt(((self.predict(values) - self.measured) ** 2).mean(axis=(1, 2, 3)))


def match(
    robot: Robot,
    recipe: Recipe,
    logs: Sequence[Trajectory],
    job: MatchJob,
    *,
    on_progress: Progress = lambda message: None,
) -> Posterior:
    """Return the distribution of the recipe's parameters that does what the logs show.

    Args:
        robot: the robot that was recorded.
        recipe: the parameters with their priors, and which parts of the logs count.
        logs: what the target did.
        job: the method and its settings; its own recipe and logs are not looked at.
        on_progress: told what is being done.

    Raises:
        CalibrationError: the logs hold nothing to match.
        ParameterError: too few worlds to tell a distribution from.
    """
    if not logs:
        raise CalibrationError("no logs to match: name at least one")
    target = Target(robot, recipe, logs, nthread=job.nthread)
    methods = {"simopt": _simopt, "dropo": _dropo, "epopt": _epopt}
    found = methods[job.method](target, job, on_progress)
    origin = {
        "robot": robot.name,
        "logs": [Path(log.source).name for log in logs],
        "seed": job.seed,
        "sim2real": sim2real.__version__,
    }
    return gaussian.moved(found, np.array(found.mean), np.array(found.covariance), **origin)


def _simopt(target: Target, job: MatchJob, on_progress: Progress) -> Posterior:
    algorithm = SimOpt(target.prior, job.simopt)
    for i in range(job.rounds):
        values = _draw(algorithm.source.posterior, job, i)
        cost = simopt.discrepancy(target.predict(values), target.measured, target.scale, job.simopt)
        algorithm.observe(values, -cost, np.zeros(len(values), bool))
        on_progress(f"round {i + 1}: discrepancy {cost.mean():.4g}")
    return _posterior(algorithm.source.posterior)


def _epopt(target: Target, job: MatchJob, on_progress: Progress) -> Posterior:
    """Take the logs in in portions that leave half of the worlds effective (tempering).

    All at once, a log singles out one world of those drawn from the prior.
    """
    algorithm, left = EPOpt(target.prior), 1.0
    for i in range(job.rounds):
        values = _draw(algorithm.source.posterior, job, i)
        score = epopt.log_likelihood(target.predict(values), target.measured, job.noise)
        share = _largest_share(score, left, 0.5 * len(values))
        algorithm.observe(values, share * score, np.zeros(len(values), bool))
        left -= share
        on_progress(f"step {i + 1}: {1 - left:.1%} of the logs taken in")
        if left <= 0:
            return _posterior(algorithm.source.posterior)
    raise CalibrationError(
        f"after {job.rounds} rounds, {left:.0%} of the logs is not taken in: give more rounds or"
        f" worlds, or a noise above {job.noise:g} rad"
    )


def _largest_share(score: Array, left: float, worlds: float) -> float:
    """Return which share of the log-likelihood leaves so many worlds effective."""
    from scipy.optimize import bisect

    def excess(share: float) -> float:
        return gaussian.effective_size(gaussian.normalized(share * score)) - worlds

    if excess(left) >= 0:
        return left
    return float(bisect(excess, 0.0, left, xtol=1e-12 * left))  # type: ignore[arg-type]


def _dropo(target: Target, job: MatchJob, on_progress: Progress) -> Posterior:
    on_progress(f"up to {job.dropo.generations} generations")
    fit = DROPO(target.box, job.dropo, seed=job.seed).fit
    return fit(
        lambda values: target.predict(values)[:, :, -1], target.measured[:, -1], target.scale
    )


def _draw(source: Posterior | None, job: MatchJob, number: int) -> Array:
    source = _posterior(source)
    rows = np.arange(job.worlds)
    z = randomness.normal(
        job.seed, "match", np.full(job.worlds, number), rows, size=len(source.names)
    )
    return source.draw(z)


def _posterior(source: Posterior | None) -> Posterior:
    assert source is not None  # SimOpt and EPOpt draw all parameters together
    return source


def _prior(recipe: Recipe, nominal: Array, box: Box) -> Posterior:
    """Return the normal distribution with the moments of the recipe's priors."""
    u = (np.arange(1000) + 0.5) / 1000
    pairs = zip(recipe.unknowns, nominal.tolist(), strict=True)
    x = np.stack([unknown.prior.values(at, u) for unknown, at in pairs], axis=1)
    wide = gaussian.around_nominal(box)
    return gaussian.moved(wide, x.mean(axis=0), np.diag(x.var(axis=0)))
