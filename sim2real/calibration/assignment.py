"""Which parameter holds in which log: shared by all, a run's own, or known beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Recipe, Unknown
from sim2real.errors import CalibrationError, known
from sim2real.randomization.parameters import ParameterSet
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """How `p` unknowns become the `k` written parameters of the model, log by log."""

    unknowns: tuple[Unknown, ...]
    written: tuple[str, ...]
    """Names of the parameters that are written to the model (k,)."""
    column: NDArray[np.int64]
    """Which unknown each parameter is in each log (nlog, k); -1 where it is known."""
    value: Array
    """What it is where it is known (nlog, k)."""

    def spread(self, values: Array, log: NDArray[np.int64]) -> Array:
        """Return the model's parameters (m, n, k) in windows of logs `log` (n,).

        Args:
            values: unknowns of `m` variants (m, p).
            log: the log of each window.
        """
        column = self.column[log]
        # column -1 takes the last unknown, which np.where then replaces
        return np.where(column < 0, self.value[log], values[:, column])

    def touches(self, unknown: int) -> NDArray[np.bool_]:
        """Return which logs (nlog,) an unknown acts in."""
        return (self.column == unknown).any(axis=1)


def written_names(recipe: Recipe) -> tuple[str, ...]:
    """Return the parameters that differ from the nominal model in any log."""
    names = [*recipe.parameters, *recipe.known]
    for run in recipe.runs.values():
        names += [*run.own, *run.known]
    return tuple(dict.fromkeys(names))


def assign(recipe: Recipe, parameters: ParameterSet, logs: Sequence[Trajectory]) -> Assignment:
    """Return what holds in each of the logs; raises CalibrationError.

    In each log, what its run says comes before what all logs share; what is neither told nor asked
    for is nominal.
    """
    unknowns = recipe.unknowns
    names = [(unknown.parameter, unknown.run) for unknown in unknowns]
    column = np.full((len(logs), len(parameters.names)), -1)
    value = np.tile(parameters.nominal, (len(logs), 1))
    for row, log in enumerate(logs):
        run = run_of(recipe, log.source)
        told = _told(recipe, run, log)
        for k, name in enumerate(parameters.names):
            if name in told:
                value[row, k] = told[name]
            elif (name, run) in names:
                column[row, k] = names.index((name, run))
            elif (name, "") in names:
                column[row, k] = names.index((name, ""))
    return Assignment(unknowns=unknowns, written=parameters.names, column=column, value=value)


def with_runs_of(
    recipe: Recipe, logs: Sequence[Trajectory], held_out: Sequence[Trajectory]
) -> Recipe:
    """Return the recipe without the runs that no log is of; raises CalibrationError.

    What is a run's own can be told by its logs only: those held out need one that is fitted.
    """
    present = {run_of(recipe, log.source) for log in logs}
    for log in held_out:
        run = run_of(recipe, log.source)
        if run not in present and run and recipe.runs[run].own:
            raise CalibrationError(
                f"{log.source}: nothing tells the own parameters of the run {run!r}"
                f" ({', '.join(recipe.runs[run].own)}): fit one of its logs, or do not hold it out"
            )
    present |= {run_of(recipe, log.source) for log in held_out}
    return replace(recipe, runs={name: run for name, run in recipe.runs.items() if name in present})


def run_of(recipe: Recipe, source: str) -> str:
    """Return the run that a log belongs to, empty for none; raises CalibrationError for several."""
    runs = [name for name, run in recipe.runs.items() if run.holds(source)]
    if len(runs) > 1:
        raise CalibrationError(
            f"{source}: belongs to the runs {' and '.join(runs)}: one is allowed"
        )
    return runs[0] if runs else ""


def _told(recipe: Recipe, run: str, log: Trajectory) -> Mapping[str, float]:
    told = dict(recipe.runs[run].known) if run else {}
    for name, fact in recipe.known.items():
        if name in told:
            continue
        if fact.fact not in log.facts:
            raise CalibrationError(
                f"{log.source}: the recipe takes {name} from what the log says of"
                f" {fact.fact!r}{known(fact.fact, log.facts)}"
            )
        told[name] = fact.offset + fact.scale * float(log.facts[fact.fact])
    return told
