"""Which parameter would bring a robot back into the worlds, and what makes them differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.windows import Windows
from sim2real.evaluation.coverage.emulator import Emulator
from sim2real.evaluation.coverage.replay import Replay, Replayer

Array = NDArray[np.float64]

_CANDIDATES, _COMPANIONS = 4, 8
"""Parameters that may leave their range, and those that may move within theirs beside one."""
_TURNS = 12
"""Steps of the fit in the simulator."""
_STEP = 1e-3
"""Finite difference, in standard deviations of the worlds."""
_WORTH, _ENOUGH = 0.05, 0.5
"""Share of the misfit that all parameters together must remove to be an explanation, and of that
the share that one must remove to be named."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A parameter whose range would have to reach further."""

    name: str
    unit: str
    low: float
    """The range of the worlds."""
    high: float
    value: float
    """Where it fits the robot best, the others within their ranges."""
    explained: float
    """Share of what all parameters, freed together, would improve on the best world."""


def explain(replayer: Replayer, replay: Replay, windows: Windows) -> tuple[Explanation, ...]:
    """Return the parameters that would explain an escape, the best first; none if none does.

    One parameter at a time may leave its range while the others stay within theirs. A surface
    through the worlds chooses the candidates, each is then fitted in the simulator.
    """
    fit = _Fit(replayer, replay, windows)
    start, base = fit.best()
    _, least = fit.best(free=fit.companions, start=start)
    if base - least < _WORTH * base:
        return ()
    found = []
    for column in _candidates(replayer, replay):
        values, misfit = fit.best(free=[column], start=start)
        low, high, value = fit.low[column], fit.high[column], values[column]
        explained = (base - misfit) / (base - least)
        if not low <= value <= high and explained >= _ENOUGH:
            found.append(
                Explanation(
                    name=replay.parameters[column],
                    unit=replayer.parameters.terms[column].unit,
                    low=float(low),
                    high=float(high),
                    value=float(value),
                    explained=min(1.0, explained),
                )
            )
    return tuple(sorted(found, key=lambda item: -item.explained))


def shares(replay: Replay) -> dict[str, float]:
    """Return each parameter's share of what makes the worlds differ, the largest first.

    Squared standardized regression coefficients, averaged over samples; what is left to 1 is
    interaction and curvature.
    """
    slope = _emulator(replay).coefficients[1 : 1 + len(replay.parameters)]
    total = replay.smooth.reshape(len(replay.values), -1).var(axis=0)
    mean = (np.square(slope) / np.maximum(total, 1e-18)).mean(axis=1)
    pairs = zip(replay.parameters, (mean / max(1.0, mean.sum())).tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def _emulator(replay: Replay) -> Emulator:
    smooth = replay.smooth.reshape(len(replay.values), -1)
    return Emulator(replay.values, smooth, replay.noise.ravel())


def _candidates(replayer: Replayer, replay: Replay) -> list[int]:
    """Return the columns of the parameters whose freedom helps the surface most."""
    emulator, samples = _emulator(replay), replay.measured.ravel()
    misfits = []
    for column, (least, most) in enumerate(_possible(replayer)):
        low, high = replay.values.min(axis=0), replay.values.max(axis=0)
        low[column], high[column] = least, most
        values = emulator.fit(samples, low, high)
        misfits.append(np.square(emulator.residual(samples, values)).mean())
    return list(np.argsort(misfits)[:_CANDIDATES])


def _possible(replayer: Replayer) -> Array:
    """Return the values that can be simulated (p, 2)."""
    bounds = replayer.parameters.bounds.copy()
    for row, term in zip(bounds, replayer.parameters.terms, strict=True):
        row[1] = min(row[1], getattr(term, "longest", np.inf))  # what a delay's buffer holds
    return bounds


class _Fit:
    """Parameters fitted to a robot's logs in the simulator, within bounds."""

    def __init__(self, replayer: Replayer, replay: Replay, windows: Windows):
        self._replayer, self._windows, self._replay = replayer, windows, replay
        self.low, self.high = replay.values.min(axis=0), replay.values.max(axis=0)
        self._middle = np.median(replay.values, axis=0)
        self._unit = np.maximum(replay.values.std(axis=0), 1e-9)
        # a tenth of the spread: what no model gets right, and the uncertainty of the starts
        self._sigma = np.hypot(replay.noise, 0.1 * replay.smooth.std(axis=0)).ravel()
        order = list(shares(replay))
        self.companions = [replay.parameters.index(name) for name in order[:_COMPANIONS]]

    def best(self, free: Sequence[int] = (), start: Array | None = None) -> tuple[Array, float]:
        """Return the parameters (p,) that fit best, and the mean of squared residuals.

        The columns `free` may be anything that is possible, the others stay within the worlds'
        ranges. Residuals of several deviations count by their size, not by its square.
        """
        from scipy.optimize import least_squares

        moved = np.array(list(dict.fromkeys([*self.companions, *free])), np.int64)
        low, high = self.low.copy(), np.maximum(self.high, self.low + 1e-9 * self._unit)
        low[list(free)], high[list(free)] = _possible(self._replayer)[list(free)].T
        begin = self._middle if start is None else np.clip(start, low, high)
        scale = self._unit[moved]
        found = least_squares(
            lambda x: self._residuals(moved, x[None] * scale)[0],
            begin[moved] / scale,
            lambda x: self._slopes(moved, x),  # type: ignore[arg-type]
            (low[moved] / scale, high[moved] / scale),
            loss="soft_l1",
            max_nfev=_TURNS,
        )
        values = self._middle.copy()
        values[moved] = found.x * scale
        return values, float(2.0 * found.cost / len(found.fun))

    def _residuals(self, moved: NDArray[np.int64], rows: Array) -> Array:
        """Return the residuals (m, k s) with the columns `moved` set to `rows` (m, moved)."""
        values = np.tile(self._middle, (len(rows), 1))
        values[:, moved] = rows
        smooth = self._replayer.smooth(values, self._windows).reshape(len(rows), -1)
        return (smooth - self._replay.measured.ravel()) / self._sigma

    def _slopes(self, moved: NDArray[np.int64], x: Array) -> Array:
        """Return the residuals' derivatives (k s, moved), in one rollout."""
        top = np.minimum(self.high, _possible(self._replayer)[:, 1])[moved] / self._unit[moved]
        step = np.where(x + _STEP > top, -_STEP, _STEP)
        rows = np.concatenate([x[None], x + np.diag(step)]) * self._unit[moved]
        base, *others = self._residuals(moved, rows)
        return (np.array(others) - base).T / step
