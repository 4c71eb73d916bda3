"""A robot's logs beside its simulation, over short windows from the same measured starts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.calibration.rollouts import Rollouts, calibration_model, grid_of
from sim2real.calibration.smoothing import local_state
from sim2real.calibration.windows import Windows, cut
from sim2real.errors import GapError
from sim2real.gap.missing_torque import about_parabola, inertia, missing_acceleration
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

    def __init__(
        self,
        robot: Robot,
        logs: Sequence[Trajectory],
        recipe: Recipe | None = None,
        posterior: Posterior | None = None,
        *,
        seconds: float | None = None,
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
                noise, and the coarser the regimes that can be told apart; 0.2, or eight control
                steps, if not given.
            seed: of the noise.
            nthread: threads of the simulator.

        Raises:
            GapError: the logs hold too little motion to compare.
        """
        if not logs:
            raise GapError("no logs to compare with: name at least one recording of the robot")
        self.robot, self.seed, self._nthread = robot, seed, nthread
        self.seconds = seconds = max(0.2, 8.0 / robot.control_hz) if seconds is None else seconds
        plan = _plan(robot, recipe, seconds)
        self.model = calibration_model(robot, plan)
        self.measured_commands = plan.commands == "measured"
        grid = grid_of(robot, self.model)
        self._step, self._every = grid.timestep * grid.every, grid.every
        self._lead = max(3, round(plan.windows.smooth / self._step))
        whole = seconds + 2 * self._lead * self._step
        self._whole = cut(logs, plan, grid, whole)
        _refuse_too_few(self._whole, whole, seconds)
        self._given = _testable(robot, self.model, posterior, plan)
        self._inertia = inertia(robot, self.model, self._whole.position)
        self.windows = self._after_lead(self._states(self._whole.measured))
        self._noise = self._noise_of_the_log()
        self.command = self._mean_commands(logs)

    @property
    def base(self) -> dict[str, float]:
        """Parameters that are not the model's: a calibration's."""
        return dict(self._given)

    def compare(self, draws: int = 1, values: Mapping[str, float] | None = None) -> Comparison:
        """Return the torques that are missing under the base's parameters and `values`.

        What is simulated goes the way of what was recorded: noise is added to its positions, and
        the state from which a window is predicted is estimated from those.
        """
        changed = self.base | dict(values or {})
        row = np.array([list(changed.values())])
        smooth = self._rollouts(tuple(changed)).predict(self._whole, row)
        z = randomness.normal(self.seed, "gap.noise", np.arange(draws), size=smooth.size)
        noisy = smooth + self._noise * z.reshape(draws, *smooth.shape[1:])
        measured = np.concatenate([self._whole.measured[None], noisy])
        starts = np.stack([self._states(each) for each in measured])
        predicted = self._rollouts(tuple(changed)).predict(
            self.windows, np.tile(row, (1 + draws, 1)), starts - starts[:1]
        )
        missing = self._missing(
            measured[:, :, self._lead :][:, :, : predicted.shape[2]] - predicted
        )
        return Comparison(real=missing[0], simulated=missing[1:])

    def residuals(self, name: str, values: Array, rows: NDArray[np.int64]) -> Array:
        """Return the torques missing in windows `rows` with other `values` (m,) of a parameter.

        (m, len(rows), njoint); the other parameters are as the base has them.
        """
        others = {other: value for other, value in self._given.items() if other != name}
        given = np.tile(list(others.values()), (len(values), 1))
        few = self.windows.take(rows)
        predicted = self._rollouts((name, *others)).predict(few, np.column_stack([values, given]))
        return self._missing(few.measured - predicted, rows)

    def _rollouts(self, names: tuple[str, ...]) -> Rollouts:
        parameters = ParameterSet(self.model, tuple(self.robot.joints), names)
        return Rollouts(self.robot, self.model, parameters, nthread=self._nthread)

    def _states(self, position: Array) -> Array:
        """Return positions and velocities (n, 2 njoint) in the middle of the lead.

        They are estimated from sampled positions (n, nsample, njoint) on both sides.
        """
        n, size = len(position), 2 * self._lead - 1
        about = np.moveaxis(position[:, :size], 0, 1).reshape(size, -1)
        time: Array = self._step * np.arange(-self._lead + 1, self._lead, dtype=np.float64)
        state = local_state(time, about)
        parts = (state.position.reshape(n, -1), state.velocity.reshape(n, -1))
        return np.concatenate(parts, axis=1)

    def _after_lead(self, states: Array) -> Windows:
        """Return the windows from the middle of the lead on, from `states` (n, 2 njoint)."""
        whole, steps = self._whole, self._lead * self._every
        command = np.concatenate([whole.before, whole.command], axis=1)
        samples = round(self.seconds / self._step)
        history = whole.before.shape[1]
        position, velocity = np.split(states, 2, axis=1)
        stretch = slice(steps, steps + samples * self._every)
        return replace(
            whole,
            position=position,
            velocity=velocity,
            command=whole.command[:, stretch],
            enabled=None if whole.enabled is None else whole.enabled[:, stretch],
            before=command[:, steps : steps + history],
            measured=whole.measured[:, self._lead : self._lead + samples],
            start=whole.start + self._lead * self._step,
        )

    def _noise_of_the_log(self) -> Array:
        """Return the standard deviation of the sampled positions' noise (n, 1, njoint).

        It is what a parabola leaves of the prediction's errors: the motion itself is no smooth
        polynomial where friction acts, and would count as noise.
        """
        row = np.array([list(self._given.values())])
        residual = self.windows.measured - self._rollouts(tuple(self._given)).predict(
            self.windows, row
        )[0]  # fmt: skip
        noise = np.empty((len(residual), 1, residual.shape[2]))
        for log in np.unique(self.windows.log):
            rows = self.windows.log == log
            found = np.minimum(about_parabola(residual[rows]), self.windows.noise[rows].max(axis=0))
            noise[rows] = np.sqrt(found)
        return noise

    def _missing(self, residual: Array, rows: NDArray[np.int64] | None = None) -> Array:
        """Return missing torques (m, n, njoint) of position residuals (m, n, nsample, njoint)."""
        time = self._step * np.arange(1, residual.shape[-2] + 1)
        acceleration = missing_acceleration(residual, time)
        M = self._inertia if rows is None else self._inertia[rows]
        return np.einsum("nij,mnj->mni", M, acceleration)

    def _mean_commands(self, logs: Sequence[Trajectory]) -> Array:
        """Return the mean commands before and in each window (n, 2 ncommand)."""
        parts = np.empty((len(self.windows), 2, len(self.robot.driven)))
        windows, seconds = zip(self.windows.log, self.windows.start, strict=True), self.seconds
        for row, (number, start) in enumerate(windows):
            log = logs[number]
            for part, (begin, length) in enumerate(((start - seconds / 2, seconds / 2),
                                                    (start, seconds))):  # fmt: skip
                first, last = np.searchsorted(log.seconds, [begin - 1e-9, begin + length - 1e-9])
                acting = log.commands_at(log.time[first : max(last, first + 1)])
                parts[row, part] = acting.mean(axis=0)
        return parts.reshape(len(parts), -1)


def _plan(robot: Robot, recipe: Recipe | None, seconds: float) -> Recipe:
    """Return what to cut, and a model that holds every delay that can be looked for."""
    delays = {
        f"actuator.{name}.delay": Parameter(prior={"set": [0.0, LONGEST_DELAY]})
        for name in robot.driven
    }
    plan = recipe or Recipe(robot=robot.name, parameters=delays)
    windows = replace(plan.windows, seconds=seconds, stride=seconds / 4, min_motion=0.0)
    return plan.fitting(delays, windows=windows, compare=())


def _refuse_too_few(windows: Windows, length: float, seconds: float) -> None:
    if len(windows) < _FEWEST:
        dropped = ", ".join(f"{n} {why}" for why, n in windows.dropped.items())
        raise GapError(
            f"the logs hold {len(windows)} windows of {length:.2g} s that can be compared, at"
            f" least {_FEWEST} are needed (left out: {dropped or 'none'}): record"
            f" {_FEWEST * seconds / 4:.0f} s of motion or more"
        )


def _testable(
    robot: Robot, model: mujoco.MjModel, posterior: Posterior | None, plan: Recipe
) -> dict[str, float]:
    """Return the posterior's means of what a replay shows: fields of the model.

    Where the torque was measured, nothing before it is in the loop. Without any, a number of the
    model that stays as it is: a rollout is one of parameters.
    """
    found = {}
    for name, mean in (
        () if posterior is None else zip(posterior.names, posterior.mean, strict=True)
    ):
        if plan.commands == "measured" and ParameterName.parse(name).kind == "actuator":
            continue
        (term,) = ParameterSet(model, tuple(robot.joints), (name,)).terms
        if term.fields:
            found[name] = mean
    if not found:
        name = f"joint.{next(iter(robot.joints))}.armature"
        found[name] = float(ParameterSet(model, tuple(robot.joints), (name,)).nominal[0])
    return found
