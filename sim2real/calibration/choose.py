"""Which of several models a robot's own logs prefer, by predicting those that were left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.problem import Problem
from sim2real.calibration.progress import UNTOLD, Progress
from sim2real.errors import CalibrationError
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A class of models, and how well it predicts what it was not fitted to."""

    name: str
    parameters: tuple[str, ...]
    """Those that it has beside the ones of all classes."""
    error: float
    """Root mean square error over the folds' windows [rad]."""
    standard_error: float
    """Of the difference of its squared error to the best class's, as an error [rad]."""
    chosen: bool


def choose(
    problem: Problem,
    logs: Sequence[Trajectory],
    *,
    seed: int,
    progress: Progress = UNTOLD,
) -> tuple[Problem, tuple[Candidate, ...]]:
    """Return the problem with the chosen class, and how all fared; () if there is no choice.

    The simplest class is taken whose error is within a standard error of the best one's (the one
    standard error rule, Breiman et al. 1984): over folds, which are independent, not over windows.

    Raises:
        CalibrationError: there is only one fold.
    """
    choice = problem.recipe.choose
    if choice is None:
        return problem, ()
    folds = _folds(logs, choice.fold)
    problems = [problem.without(_left_out(problem, name)) for name in choice.classes]
    squares, told = [], [{} for _ in folds]
    for i, (name, candidate) in enumerate(zip(choice.classes, problems, strict=True)):
        part = progress.part(i, len(problems), f"choosing a model: {name}")
        rows = zip(folds, told, strict=True)
        squares.append(
            [
                _left_out_error(candidate, logs, fold, seed, known, part.part(j, len(folds)))
                for j, (fold, known) in enumerate(rows)
            ]
        )
    table = np.array(squares)  # (class, fold)
    mean = table.mean(axis=1)
    best = int(mean.argmin())
    excess = table - table[best]
    doubt = excess.std(axis=1, ddof=1) / np.sqrt(len(folds))
    winner = int(np.flatnonzero(mean - mean[best] <= doubt)[0])
    candidates = tuple(
        Candidate(
            name=name,
            parameters=choice.classes[name],
            error=float(np.sqrt(mean[i])),
            standard_error=float(doubt[i] / (2 * np.sqrt(mean[i]))),
            chosen=i == winner,
        )
        for i, name in enumerate(choice.classes)
    )
    return problems[winner], candidates


def _left_out(problem: Problem, name: str) -> list[str]:
    choice = problem.recipe.choose
    assert choice is not None  # checked by the caller
    optional = {each for names in choice.classes.values() for each in names}
    return sorted(optional - set(choice.classes[name]))


def _folds(logs: Sequence[Trajectory], fact: str) -> list[list[int]]:
    keys = [str(log.facts.get(fact)) if fact else str(i) for i, log in enumerate(logs)]
    folds = [[i for i, key in enumerate(keys) if key == one] for one in dict.fromkeys(keys)]
    if len(folds) < 2:
        names = ", ".join(Path(log.source).name for log in logs)
        raise CalibrationError(
            f"choose: {names} are one fold{f' of {fact}' if fact else ''}: to choose a model, give"
            " logs of at least two, or name one class's parameters and leave `choose` out"
        )
    return folds


def _left_out_error(
    problem: Problem,
    logs: Sequence[Trajectory],
    fold: list[int],
    seed: int,
    told: dict[str, float],
    progress: Progress,
) -> float:
    """Return the mean square error in the logs of a fold of a fit to the others [rad²].

    A class begins also where the simpler ones ended: `told`, name → value, which this one renews.
    """
    at = problem.coordinates
    nominal = dict(zip(at.names, at.nominal.tolist(), strict=True))
    hint = np.array(list((nominal | {n: told[n] for n in told if n in nominal}).values()))
    hint = at.z(np.clip(hint, at.lower, at.upper))
    fitted = [log for i, log in enumerate(logs) if i not in fold]
    found, _ = problem.solve(fitted, seed=seed, hint=hint, progress=progress)
    values = at.values(found.z)
    told |= dict(zip(at.names, values.tolist(), strict=True))
    held_out = [logs[i] for i in fold]
    seconds = max(problem.recipe.windows.horizons)
    windows = problem.windows(held_out, seconds)
    if not len(windows):
        names = ", ".join(Path(log.source).name for log in held_out)
        raise CalibrationError(
            f"choose: {names} cannot be predicted when left out: no window of {seconds:g} s"
            " (windows.horizons) is in it: leave the log out, or shorten the horizons"
        )
    error = problem.predict(held_out, windows, values[None]) - windows.measured
    return float((error**2).mean())
