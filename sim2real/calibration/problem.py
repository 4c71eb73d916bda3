"""What a calibration solves: a robot's model, the recipe's unknowns, and logs to compare with."""

from collections.abc import Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration import identifiability
from sim2real.calibration.assignment import Assignment, assign, written_names
from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.fit import Fit, fit
from sim2real.calibration.fittable import refuse_unfittable
from sim2real.calibration.progress import UNTOLD, Progress
from sim2real.calibration.recipe import Recipe
from sim2real.calibration.residual import Residual
from sim2real.calibration.rollouts import Rollouts, calibration_model, grid_of
from sim2real.calibration.search import starting_points
from sim2real.calibration.windows import Windows, cut
from sim2real.errors import CalibrationError, known
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]


@final
class Problem:
    """Predicts logs of a robot for values of a recipe's `p` unknowns."""

    def __init__(self, robot: Robot, recipe: Recipe, *, nthread: int = 1):
        """Compile the model; raises CalibrationError, ParameterError."""
        _check(robot, recipe)
        self.robot, self.recipe = robot, recipe
        self.model = calibration_model(robot, recipe)
        parameters = ParameterSet(self.model, tuple(robot.joints), written_names(recipe))
        _check_published(recipe, parameters)
        self.coordinates = Coordinates.of(recipe.unknowns, parameters, self.model.opt.timestep)
        self.rollouts = Rollouts(robot, self.model, parameters, nthread=nthread)
        self.grid = grid_of(robot, self.model)
        self._left_out: dict[str, tuple[tuple[float, float, str], ...]] = {}

    @property
    def compared(self) -> tuple[str, ...]:
        """Names of the joints whose positions are compared."""
        return self.recipe.compare or tuple(self.robot.joints)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the unknowns (p,)."""
        return self.coordinates.names

    def assignment(self, logs: Sequence[Trajectory]) -> Assignment:
        """Return which unknown is which parameter in each of the logs."""
        return assign(self.recipe, self.rollouts.parameters, logs)

    def windows(self, logs: Sequence[Trajectory], seconds: float) -> Windows:
        """Return the windows that the recipe allows, maybe none."""
        return cut(logs, self.recipe, self.grid, seconds, self._left_out)

    def residual(self, logs: Sequence[Trajectory], seconds: float | None = None) -> Residual:
        """Return the residual of the logs' windows; raises CalibrationError if there are none."""
        seconds = self.recipe.windows.seconds if seconds is None else seconds
        windows = self.windows(logs, seconds)
        identifiability.require_motion(windows, seconds)
        assignment = self.assignment(logs)
        error = self.recipe.model_error
        return Residual(
            self.rollouts, windows, self.coordinates, assignment, self.compared, model_error=error
        )

    def leave_out(self, stretches: Iterable[tuple[str, float, float, str]]) -> None:
        """Take no window of these (source of a log, begin, end [s], reason) from now on."""
        for source, begin, end, reason in stretches:
            self._left_out[source] = (*self._left_out.get(source, ()), (begin, end, reason))

    def solve(
        self,
        logs: Sequence[Trajectory],
        *,
        seed: int,
        start: Array | None = None,
        hint: Array | None = None,
        progress: Progress = UNTOLD,
    ) -> tuple[Fit, Residual]:
        """Return the best fit to logs, and the residual that it minimizes; raises CalibrationError.

        Args:
            logs: what was recorded.
            seed: of the starting points.
            start: the one place to begin at, z (p,), instead of those of the recipe's search.
            hint: one more place to look at, z (p,).
            progress: told of each step.
        """
        stages = [self.residual(logs)]
        if self.recipe.windows.refine is not None:
            stages.append(self.residual(logs, self.recipe.windows.refine))
        starts = self._starts(stages[0], seed, hint) if start is None else start[None]
        parts = [progress.part(i, len(starts)) for i in range(len(starts))]
        fits = [_through(stages, *each) for each in zip(starts, parts, strict=True)]
        # the smallest robust scale of the residuals: an S-estimate (Rousseeuw & Yohai 1984)
        return min(fits, key=lambda found: found.weighting.noise), stages[-1]

    def _starts(self, residual: Residual, seed: int, hint: Array | None) -> Array:
        at = self.coordinates
        nominal = at.z(np.clip(at.nominal, at.lower, at.upper))
        hints = np.vstack([nominal, np.zeros_like(nominal), *([] if hint is None else [hint])])
        return starting_points(residual.screened, hints, at.z_bounds, self.recipe.search, seed)

    def predict(
        self,
        logs: Sequence[Trajectory],
        windows: Windows,
        values: Array,
        offset: Array | None = None,
    ) -> Array:
        """Return positions (m, n, nsample, njoint) for unknowns (m, p) in windows of the logs."""
        spread = self.assignment(logs).spread(values, windows.log)
        return self.rollouts.predict(windows, spread, offset)

    def without(self, parameters: Sequence[str]) -> "Problem":
        """Return the problem in which some parameters of the recipe are nominal."""
        kept = {n: b for n, b in self.recipe.parameters.items() if n not in parameters}
        recipe = self.recipe.fitting(kept, choose=None)
        problem = Problem(self.robot, recipe, nthread=self.rollouts.nthread)
        problem._left_out = dict(self._left_out)
        return problem


def _through(stages: Sequence[Residual], start: Array, progress: Progress) -> Fit:
    """Return the fit to the last of the residuals, each fitted from where the one before ended."""
    found = fit(stages[0], start, progress.part(0, len(stages)))
    for i, residual in enumerate(stages[1:], 1):
        found = fit(residual, found.z, progress.part(i, len(stages)))
    return found


def _check_published(recipe: Recipe, parameters: ParameterSet) -> None:
    for name, value in recipe.published.items():
        low, high = parameters.bounds[parameters.names.index(name)]
        if not low <= value <= high:
            raise CalibrationError(
                f"published: {name} = {value:g} is impossible: it must lie in [{low:g}, {high:g}]"
            )


def _check(robot: Robot, recipe: Recipe) -> None:
    refuse_unfittable([unknown.parameter for unknown in recipe.unknowns])
    for joint in (*recipe.avoid, *recipe.compare):
        if joint not in robot.joints:
            what = "avoid" if joint in recipe.avoid else "compare"
            raise CalibrationError(
                f"{what}: robot {robot.name!r} has no joint {joint!r}{known(joint, robot.joints)}"
            )
