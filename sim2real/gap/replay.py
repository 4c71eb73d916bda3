"""A robot's logs beside its simulation, over short windows from the same measured starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.calibration.rollouts import Rollouts, calibration_model, grid_of
from sim2real.calibration.windows import cut
from sim2real.errors import GapError, ParameterError
from sim2real.gap.missing_torque import inertia, missing_acceleration
from sim2real.parameters import randomness
from sim2real.parameters.names import ParameterName
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

LONGEST_DELAY = 0.06
"""That can be looked for [s]."""
_FEWEST = 100
_INTERPOLATED = 2.0 / 3.0
"""What is left of white noise's variance between two samples, on average."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Torques that are missing in the simulation in `n` windows: of the log, and of noise alone."""

    real: Array
    """What would have to act beside the model at each joint to move as the log did (n, njoint)
    [Nm, or N]."""
    simulated: Array
    """The same of the simulation itself, measured by the log's sensors, (draws, n, njoint)."""


@final
class LogReplay:
    """Windows of a robot's logs, and simulations of them under any parameters."""

    def __init__(  # noqa: PLR0913 - what a simulation of logs depends on
        self,
        robot: Robot,
        logs: Sequence[Trajectory],
        recipe: Recipe | None = None,
        posterior: Posterior | None = None,
        *,
        seconds: float = 0.2,
        seed: int = 0,
        nthread: int = 1,
    ):
        """Cut the logs.

        Args:
            robot: the robot that was recorded.
            logs: its recordings.
            recipe: which parts of them count, and whether commands are what acted.
            posterior: calibrated parameters; their mean is simulated instead of the nominal model.
            seconds: length of a window: the longer, the smaller the gaps that show beside the
                noise, and the coarser the regimes that can be told apart.
            seed: of the noise.
            nthread: threads of the simulator.

        Raises:
            GapError: the logs hold too little motion to compare.
        """
        self.robot, self.seed = robot, seed
        plan = _plan(robot, recipe, seconds)
        self.model = calibration_model(robot, plan)
        self.measured_commands = plan.commands == "measured"
        self.grid = grid_of(robot, self.model)
        self.windows = cut(logs, plan, self.grid, seconds)
        if len(self.windows) < _FEWEST:
            dropped = ", ".join(f"{n} {why}" for why, n in self.windows.dropped.items())
            raise GapError(
                f"the logs hold {len(self.windows)} windows of {seconds} s that can be compared, at"
                f" least {_FEWEST} are needed (left out: {dropped or 'none'}): record"
                f" {_FEWEST * seconds / 4:.0f} s of motion or more"
            )
        names = _testable(robot, self.model, () if posterior is None else posterior.names, plan)
        self._given = {} if posterior is None else dict(zip(posterior.names, posterior.mean, strict=True))
        self._names = names or tuple(f"joint.{name}.armature" for name in list(robot.joints)[:1])
        self._nthread = nthread
        self._inertia = inertia(robot, self.model, self.windows.position)
        ratio = np.array([log.rate for log in logs]) * self.grid.timestep * self.grid.every
        share = np.where(ratio > 1.5, _INTERPOLATED, 1.0)[self.windows.log, None]
        self._noise = np.sqrt(self.windows.noise * share)
        self.command = self._mean_commands(logs, seconds)

    @property
    def base(self) -> dict[str, float]:
        """Parameters that are not the model's: a calibration's."""
        return {name: self._given[name] for name in self._names if name in self._given}

    def compare(self, draws: int = 1, values: dict[str, float] | None = None) -> Comparison:
        """Return the torques that are missing under the base's parameters and `values`."""
        changed = self.base | (values or {})
        names = tuple(changed) or self._names
        parameters = ParameterSet(self.model, tuple(self.robot.joints), names)
        row = parameters.nominal.copy()
        for i, name in enumerate(names):
            row[i] = changed.get(name, row[i])
        errors = np.concatenate([np.zeros((1, *self._start_errors(1).shape[1:])),
                                 self._start_errors(draws)])  # fmt: skip
        rollouts = Rollouts(self.robot, self.model, parameters, nthread=self._nthread)
        predicted = rollouts.predict(self.windows, np.tile(row, (1 + draws, 1)), errors)
        noise = self._noise[:, None, :] * self._normal("gap.noise", draws, predicted.shape[1:])
        measured = np.concatenate([self.windows.measured[None], predicted[1:] + noise])
        missing = self.missing(measured - predicted[:1])
        return Comparison(real=missing[0], simulated=missing[1:])

    def residuals(self, names: tuple[str, ...], values: Array, rows: NDArray[np.int64]) -> Array:
        """Return the torques missing in windows `rows` under variants `values` (m, p) of `names`.

        (m, len(rows), njoint); what `names` leaves out is as the base has it.
        """
        others = {name: value for name, value in self.base.items() if name not in names}
        parameters = ParameterSet(self.model, tuple(self.robot.joints), (*names, *others))
        full = np.concatenate([values, np.tile(list(others.values()), (len(values), 1))], axis=1)
        few = _take(self.windows, rows)
        rollouts = Rollouts(self.robot, self.model, parameters, nthread=self._nthread)
        predicted = rollouts.predict(few, full)
        return self.missing(few.measured - predicted, rows)

    def missing(self, residual: Array, rows: NDArray[np.int64] | None = None) -> Array:
        """Return missing torques (m, n, njoint) of position residuals (m, n, nsample, njoint)."""
        step = self.grid.timestep * self.grid.every
        time = step * np.arange(1, residual.shape[-2] + 1)
        acceleration = missing_acceleration(residual, time)
        M = self._inertia if rows is None else self._inertia[rows]
        return np.einsum("nij,mnj->mni", M, acceleration)

    def _start_errors(self, draws: int) -> Array:
        """Return what the starts may be off by (draws, n, 2 njoint), as the log's noise leaves it.
        """
        values, vectors = np.linalg.eigh(self.windows.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z = self._normal("gap.start", draws, root.shape[:2])
        return np.einsum("nij,mnj->mni", root, z)

    def _normal(self, term: str, draws: int, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        return randomness.normal(self.seed, term, np.arange(draws), size=size).reshape(draws, *shape)

    def _mean_commands(self, logs: Sequence[Trajectory], seconds: float) -> Array:
        """Return the mean commands before and in each window (n, 2 ncommand)."""
        parts = np.empty((len(self.windows), 2, len(self.robot.driven)))
        for row, (number, start) in enumerate(
            zip(self.windows.log, self.windows.start, strict=True)
        ):
            log = logs[number]
            for part, begin in enumerate((start - seconds / 2, start)):
                end = begin + (seconds / 2, seconds)[part]
                first, last = np.searchsorted(log.seconds, [begin - 1e-9, end - 1e-9])
                parts[row, part] = log.command[first : max(last, first + 1)].mean(axis=0)
        return parts.reshape(len(self.windows), -1)


def _plan(robot: Robot, recipe: Recipe | None, seconds: float) -> Recipe:
    """Return what to cut, and a model that holds every delay that can be looked for."""
    delays = {
        f"actuator.{name}.delay": Parameter(prior={"set": [0.0, LONGEST_DELAY]})
        for name in robot.driven
    }
    plan = recipe or Recipe(robot=robot.name, parameters=delays)
    windows = replace(plan.windows, seconds=seconds, stride=seconds / 4, min_motion=0.0)
    return replace(plan, parameters=delays, windows=windows)


def _testable(
    robot: Robot, model: mujoco.MjModel, names: Sequence[str], plan: Recipe
) -> tuple[str, ...]:
    """Return the parameters that a replay shows: fields of the model, in front of the torque."""
    found = []
    for name in names:
        parsed = ParameterName.parse(name)
        if plan.commands == "measured" and parsed.kind == "actuator":
            continue
        try:
            (term,) = ParameterSet(model, tuple(robot.joints), (name,)).terms
        except ParameterError:
            continue
        if term.fields:
            found.append(name)
    return tuple(found)


def _take(windows, rows):  # noqa: ANN001, ANN202
    names = ("position", "velocity", "covariance", "command", "before", "measured", "log", "start",
             "noise")  # fmt: skip
    return replace(windows, **{name: getattr(windows, name)[rows] for name in names})
