"""Calibrate until the classifiers can't tell: the gap map says what to fit next, and whether."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.calibration.result import Calibration
from sim2real.gap.gap_map import GapMap, gap_map
from sim2real.gap.suspects import Suspect
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Reason = Literal["indistinguishable", "no suspect", "no progress", "rounds"]

_WORTH = 0.05
"""Share of what is missing that a parameter must explain to be fitted, too."""
_WIDE = (0.2, 5.0)
"""Of its nominal value, where such a parameter is looked for ..."""
_BEYOND = 4.0
"""... or up to so many times what the map found, if it is nominally 0."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What was fitted, and what the classifiers said then."""

    parameters: tuple[str, ...]
    """That were fitted; none at first: the nominal model."""
    calibration: Calibration | None
    gap: GapMap
    """Of the logs that were held out."""


@dataclass(frozen=True, kw_only=True)
class Closing:
    """Rounds of calibration, and why there are no more."""

    rounds: tuple[Round, ...]
    reason: Reason

    @property
    def best(self) -> Round:
        """The round whose simulation is hardest to tell from the logs."""
        return min(self.rounds, key=lambda one: one.gap.auc)


def close_gap(  # noqa: PLR0913 - what is compared, with what, and how long
    robot: Robot,
    recipe: Recipe,
    fit_logs: Sequence[Trajectory],
    held_out_logs: Sequence[Trajectory],
    *,
    rounds: int = 4,
    seed: int = 0,
    nthread: int = 1,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Closing:
    """Return calibrations of ever more parameters, until the classifiers can't tell.

    First the recipe's own parameters are fitted. Where the simulation can still be told from the
    logs that were held out, the parameter that explains most of the gap is fitted with them.

    Args:
        robot: the robot that was recorded.
        recipe: what to fit at first, and how to read the logs.
        fit_logs: recordings to fit.
        held_out_logs: recordings that only judge.
        rounds: calibrations at most.
        seed: of fits, noise and classifiers.
        nthread: threads of the simulator.
        on_progress: told what is being done.

    Raises:
        CalibrationError: the logs hold nothing to fit.
        GapError: the logs hold too little to compare.
    """

    def judged(calibration: Calibration | None, parameters: tuple[str, ...]) -> Round:
        posterior = None if calibration is None else calibration.posterior
        found = gap_map(robot, held_out_logs, recipe, posterior, seed=seed, nthread=nthread,
                        on_progress=on_progress)  # fmt: skip
        return Round(parameters=parameters, calibration=calibration, gap=found)

    done = [judged(None, ())]
    for _ in range(rounds):
        if done[-1].gap.indistinguishable:
            return Closing(rounds=tuple(done), reason="indistinguishable")
        if done[-1].calibration is not None:
            if done[-1].gap.auc > done[-2].gap.interval[1]:
                return Closing(rounds=tuple(done), reason="no progress")
            suspect = _next([one.gap for one in done], recipe)
            if suspect is None:
                return Closing(rounds=tuple(done), reason="no suspect")
            recipe = _with(recipe, suspect)
        calibration = calibrate(robot, recipe, fit_logs, held_out_logs, seed=seed, nthread=nthread,
                                on_progress=lambda message, _: on_progress(message))  # fmt: skip
        done.append(judged(calibration, tuple(recipe.parameters)))
    told = not done[-1].gap.indistinguishable
    return Closing(rounds=tuple(done), reason="rounds" if told else "indistinguishable")


def _next(maps: Sequence[GapMap], recipe: Recipe) -> Suspect | None:
    """Return what is not fitted yet and explains most of what is left, or of what was missing.

    A parameter that was fitted can stand in for another, which then explains little beside it.
    """
    for gap in (maps[-1], *maps):
        for suspect in gap.suspects:
            if suspect.name not in recipe.parameters and suspect.closed >= _WORTH:
                return suspect
    return None


def _with(recipe: Recipe, suspect: Suspect) -> Recipe:
    """Return the recipe with a prior of the suspect as well."""
    if suspect.nominal > 0.0:
        low, high = (factor * suspect.nominal for factor in _WIDE)
        prior = {"set": [min(low, suspect.value), max(high, suspect.value)]}
    else:
        ends = sorted((0.0, _BEYOND * suspect.value))
        prior = {"set": ends}
    return replace(recipe, parameters=recipe.parameters | {suspect.name: Parameter(prior=prior)})
