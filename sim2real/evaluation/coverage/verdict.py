"""Too narrow, too wide, about right: a robot ranked among its randomized worlds.

Worlds are replayed as if each were the robot, and the robot is ranked among them: a Monte Carlo
test (Besag & Clifford 1989), exact for any number of worlds, with all that makes the samples of one
robot depend on each other. Three sizes are ranked, for each signal:

- how far the samples lie from the worlds' median (too narrow if far);
- what the best parameters within the ranges leave unexplained (too narrow if much);
- how far from the worlds' median the robot moves along what makes the worlds differ, their
  principal components, which hold next to none of the noise (too wide if hardly).

Parameters are fitted to each log for itself. The surface that they are fitted with and the
components come from other worlds than those among which the robot is ranked.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim2real.evaluation.coverage.emulator import Emulator
from sim2real.evaluation.coverage.replay import Replay

Array = NDArray[np.float64]
Verdict = Literal["too narrow", "too wide", "about right", "cannot tell"]

NARROW, WIDE = 0.02, 0.05
"""How often a robot that is a draw of the ranges is called outside them, or too central."""
CENTRAL = 0.5
"""Too wide is only what is at least twice as wide as the robot needs."""
BINS = 10
"""Of the rank histograms."""
_BAND = (0.05, 0.95)
_SPREAD_OF_BAND = 3.29
"""Width of that band of a normal distribution in standard deviations."""
_FARTHEST = 10.0
"""Distances beyond count as this many spreads, so that no single sample decides."""
_KEPT = 0.99
"""Share of the worlds' variance that their components hold."""
_MUTE = 0.5
"""Worlds that differ by less than this share of the noise tell nothing."""


@dataclass(frozen=True, kw_only=True)
class Escape:
    """A stretch of a log in which the robot left the band, and for a while all of the worlds."""

    log: int
    start: float
    """[s] from the log's first row."""
    end: float
    side: Literal["above", "below"]
    distance: float
    """The farthest from the worlds' median, in their spreads."""


@dataclass(frozen=True, kw_only=True)
class SignalCoverage:
    """How the robot lies among the worlds in one signal."""

    name: str
    unit: str
    verdict: Verdict
    inside: float
    """Share of samples within the worlds' 5–95 % band; 0.9 is expected."""
    distance: float
    """How far the robot is from the middle of the worlds, as a share of how far a world is."""
    p_narrow: float
    """Chance that a world of the ranges is as far out, whichever signal it is looked for in."""
    p_wide: float
    """Chance that a world of the ranges is as central."""
    histogram: Array
    """Share of the robot's samples in each tenth of the worlds' ranks (10,)."""
    envelope: Array
    """Within which 90 % of the worlds' own histograms lie (2, 10)."""
    escapes: tuple[Escape, ...]
    """The worst first."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The verdict over all signals."""

    verdict: Verdict
    signals: tuple[SignalCoverage, ...]
    distance: float
    """Mean of the signals' distances."""
    p_narrow: float
    p_wide: float
    band: Array
    """Lower end, median and upper end of the worlds (3, k, s)."""
    outside: NDArray[np.bool_]
    """Which samples lie outside the band (k, s)."""


def judge(replay: Replay) -> Coverage:
    """Return how the robot lies among the worlds; the first half of them trains the emulator."""
    # the robot is one of the n + 1: what is computed of all treats all alike, so ranks are exact
    everyone = np.concatenate([replay.measured[None], replay.predicted])
    low, middle, high = np.quantile(everyone, [_BAND[0], 0.5, _BAND[1]], axis=0)
    spread = np.maximum((high - low) / _SPREAD_OF_BAND, 1e-12)
    distance = (everyone - middle) / spread
    ranks = everyone.argsort(axis=0).argsort(axis=0) / len(replay.predicted)
    judged = np.r_[0, 1 + len(replay.values) // 2 : len(everyone)]
    unexplained = _unexplained(replay, everyone[judged])
    central = _along_components(replay, everyone[judged], middle, spread)
    p_narrow, p_wide = _chances(_size(distance[judged]), unexplained, central)
    relative = central[0] / np.median(central[1:], axis=0)
    mute = replay.telling < _MUTE
    together, wide = _together(relative, central, ~mute)
    rows = zip(p_narrow, p_wide, relative.tolist(), mute.tolist(), strict=True)
    verdicts: list[Verdict] = [_verdict(*row) for row in rows]
    signals = tuple(
        SignalCoverage(
            name=name,
            unit=replay.units[i],
            verdict=verdicts[i],
            inside=float(((ranks[0, :, i] >= _BAND[0]) & (ranks[0, :, i] <= _BAND[1])).mean()),
            distance=float(relative[i]),
            p_narrow=p_narrow[i],
            p_wide=p_wide[i],
            histogram=_histograms(ranks[:1, :, i])[0],
            envelope=np.quantile(_histograms(ranks[1:, :, i]), _BAND, axis=0),
            escapes=_escapes(replay, ranks[0, :, i], distance[0, :, i]),
        )
        for i, name in enumerate(replay.signals)
    )
    verdict = _verdict(min(p_narrow), wide, together, bool(mute.all()))
    if verdict == "too wide" and relative[~mute].max() > 1.0:
        verdict = "about right"  # in some signal the robot needs its range
    return Coverage(
        verdict=verdict,
        signals=signals,
        distance=together,
        p_narrow=min(p_narrow),
        p_wide=wide,
        band=np.stack([low, middle, high]),
        outside=(ranks[0] < _BAND[0]) | (ranks[0] > _BAND[1]),
    )


def _unexplained(replay: Replay, members: Array) -> Array:
    """Return what the best parameters leave unexplained of each member's signals, (m, s)."""
    half, signals = len(replay.values) // 2, members.shape[2]
    low, high = replay.values.min(axis=0), replay.values.max(axis=0)
    found = np.empty_like(members)
    for rows in _of_each_log(replay):
        smooth = replay.smooth[:half, rows].reshape(half, -1)
        emulator = Emulator(replay.values[:half], smooth, replay.noise[rows].ravel())
        for i, member in enumerate(members[:, rows].reshape(len(members), -1)):
            values = emulator.fit(member, low, high)
            found[i, rows] = emulator.residual(member, values).reshape(-1, signals)
    return _size(found)


def _along_components(replay: Replay, members: Array, middle: Array, spread: Array) -> Array:
    """Return how far each member is from the median along the worlds' components, (m, s)."""
    half = len(replay.values) // 2
    found = np.empty_like(members)
    for rows in _of_each_log(replay):
        worlds, judged = (
            np.clip((x[:, rows] - middle[rows]) / spread[rows], -_FARTHEST, _FARTHEST)
            for x in (replay.smooth[:half], members)
        )
        _, size, axes = np.linalg.svd(worlds.reshape(half, -1), full_matrices=False)
        axes = axes[: 1 + np.searchsorted(np.cumsum(size**2), _KEPT * np.sum(size**2))]
        along = judged.reshape(len(members), -1) @ axes.T @ axes
        found[:, rows] = along.reshape(len(members), -1, members.shape[2])
    return _size(found)


def _of_each_log(replay: Replay) -> list[NDArray[np.int64]]:
    return [np.flatnonzero(replay.log == log) for log in np.unique(replay.log)]


def _together(relative: Array, central: Array, telling: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the telling signals' median distance, and the chance of all being so central."""
    if not telling.any():
        return 1.0, 1.0
    mean = _standardized(central[:, telling]).mean(axis=1)
    return float(np.median(relative[telling])), _share(mean[1:] <= mean[0])


def _chances(far: Array, unexplained: Array, central: Array) -> tuple[list[float], list[float]]:
    """Return each signal's chance of being so far out, and of being so central.

    The single-step max-T correction for looking at several signals (Westfall & Young 1993). Each
    argument (m, s) has the robot in its first row.
    """
    out = np.concatenate([_standardized(far), _standardized(unexplained)], axis=1)
    worst = out.max(axis=1)[1:]
    either = np.maximum(*np.split(out[0], 2))
    score = _standardized(central)
    least = score.min(axis=1)[1:]
    return (
        [_share(worst >= value) for value in either],
        [_share(least <= value) for value in score[0]],
    )


def _size(values: Array) -> Array:
    """Return the root mean square over samples of (m, k, s), (m, s)."""
    return np.sqrt(np.square(np.clip(values, -_FARTHEST, _FARTHEST)).mean(axis=1))


def _verdict(p_narrow: float, p_wide: float, relative: float, mute: bool) -> Verdict:
    if p_narrow <= NARROW:
        return "too narrow"
    if mute:
        return "cannot tell"
    return "too wide" if p_wide <= WIDE and relative <= CENTRAL else "about right"


def _share(extreme: NDArray[np.bool_]) -> float:
    """Return the p-value of a Monte Carlo test: the robot itself counts as one of the draws."""
    return float((1 + extreme.sum()) / (1 + len(extreme)))


def _standardized(size: Array) -> Array:
    """Return logarithms of `size` (n, s), with median 0 and like spread in every signal."""
    logs = np.log(np.maximum(size, 1e-12))
    low, middle, high = np.quantile(logs, [0.16, 0.5, 0.84], axis=0)
    return (logs - middle) / np.maximum((high - low) / 2, 1e-12)


def _histograms(ranks: Array) -> Array:
    """Return the share of ranks (n, k) in each of BINS equal bins, (n, BINS)."""
    place = np.minimum((ranks * BINS).astype(int), BINS - 1)
    return np.stack([(place == i).mean(axis=1) for i in range(BINS)], axis=1)


def _escapes(replay: Replay, rank: Array, distance: Array) -> tuple[Escape, ...]:
    """Return the stretches outside the band in which the robot also left all of the worlds."""
    side = np.where(rank > _BAND[1], 1, np.where(rank < _BAND[0], -1, 0))
    row = replay.seconds
    # one window after another: the first samples of each are left out, but time goes on
    near = np.diff(row) < 2.0 * replay.horizon
    breaks = (np.diff(side) != 0) | (np.diff(replay.log) != 0) | ~near
    found = []
    for part in np.split(np.arange(len(side)), np.flatnonzero(breaks) + 1):
        beyond = (rank[part] == 0) | (rank[part] == 1)
        if side[part[0]] != 0 and len(part) >= 3 and beyond.any():
            farthest = float(np.abs(distance[part]).max())
            found.append(
                Escape(
                    log=int(replay.log[part[0]]),
                    start=float(row[part[0]]),
                    end=float(row[part[-1]]),
                    side="above" if side[part[0]] > 0 else "below",
                    distance=farthest,
                )
            )
    return tuple(sorted(found, key=lambda e: -e.distance * (e.end - e.start)))
