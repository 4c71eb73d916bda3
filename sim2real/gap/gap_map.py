"""Where a simulator is wrong: one number, the joints, the regimes, the times, the likely reason."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sim2real import __version__, config
from sim2real.calibration.recipe import Recipe
from sim2real.gap.cross_fit import CrossFit, Scores
from sim2real.gap.digest import digest
from sim2real.gap.fields import (
    Believability,
    Plane,
    Timeline,
    least_believable,
    smooth_gap,
    telling_plane,
    timelines,
)
from sim2real.gap.regime import Regimes
from sim2real.gap.replay import LogReplay
from sim2real.gap.scores import auc_interval, refit_margin
from sim2real.gap.suspects import Suspect, suspects
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]
Verdict = Literal["none", "local", "global"]

_DRAWS = 3
"""Simulations with other noise of each window: the more, the better its classifiers know it."""
_REPEATS = 3
"""Shuffles of an input, over which its importance is averaged."""
_BLOCK = 1.0
"""Stretches of a log that are held out, and drawn, as one [s]."""
_GLOBAL = 0.5
"""A gap is global if as many windows as this share, all alike, would make it up."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """By how much the AUC falls when one input is shuffled."""

    name: str
    joint: str
    drop: float


@dataclass(frozen=True, kw_only=True)
class GapMap:
    """What two classifiers say about a simulator and a robot's logs."""

    robot: str
    windows: int
    seconds: float
    """Length of a window."""
    auc: float
    """Probability that a window of the log scores above a simulated one, held out: 0.5
    if they cannot be told apart, 1 if always."""
    interval: tuple[float, float]
    """Holds the AUC with 95 %."""
    nats: float
    """Mean Δr over the log: how clearly a window contradicts the simulation."""
    verdict: Verdict
    extent: float
    """Share of the log that the gap covers: 1 if it is the same everywhere, 0 without one."""
    joints: tuple[Importance, ...]
    """At which joint torque is missing, the most telling first."""
    coordinates: tuple[Importance, ...]
    """On which position, velocity or command it depends, the most telling first."""
    plane: Plane
    """Mean Δr of the log over the two coordinates that tell most of it."""
    timelines: tuple[Timeline, ...]
    """Δr along each log."""
    times: tuple[Believability, ...]
    """Where in the logs the simulation is least believable, the worst first."""
    suspects: tuple[Suspect, ...]
    """Which parameter, changed alone, would explain most, the best first."""
    closed_auc: float | None
    """The AUC with the first suspect at its value; None if nothing is to be explained."""
    logs: tuple[str, ...]
    dropped: dict[str, int]
    """Reason → windows left out for it."""
    seed: int
    version: str = __version__

    @property
    def indistinguishable(self) -> bool:
        """Whether the classifiers cannot tell the simulation from the log."""
        return self.verdict == "none"

    def to_json(self) -> str:
        """Return the whole report; cells of the plane that are empty are null."""
        return json.dumps(_plain(config.to_dict(self)), indent=2, allow_nan=False) + "\n"

    @property
    def digest(self) -> str:
        """A hash of the report: what a controller trained on it carries."""
        return digest(self.to_json())


def gap_map(  # noqa: PLR0913 - what it compares, and with what
    robot: Robot,
    logs: Sequence[Trajectory],
    recipe: Recipe | None = None,
    posterior: Posterior | None = None,
    *,
    seconds: float | None = None,
    seed: int = 0,
    nthread: int = 1,
    explain: bool = True,
    on_progress: Callable[[str], None] = lambda message: None,
) -> GapMap:
    """Return where the robot's simulation is wrong about its logs.

    Args:
        robot: the robot that was recorded.
        logs: its recordings.
        recipe: which parts of them count, and whether commands are what acted.
        posterior: judge the calibrated model instead of the nominal one.
        seconds: length of the windows that are compared; chosen by the rate if not given.
        seed: of noise, classifiers and shuffles.
        nthread: threads of the simulator.
        explain: look for the parameter behind the gap, too.
        on_progress: told what is being done.

    Raises:
        GapError: the logs hold too little to compare.
    """
    torch.set_num_threads(1)  # networks this small are faster so
    on_progress("replaying the logs")
    replay = LogReplay(robot, logs, recipe, posterior, seconds=seconds, seed=seed, nthread=nthread)
    regimes = Regimes.of(replay)
    block = _blocks(replay)
    comparison = replay.compare(_DRAWS)
    on_progress("training classifiers")
    fit = CrossFit(regimes.features, comparison, block, seed)
    scores, rng = fit.scores(), np.random.default_rng(seed)
    nats = fit.nats()
    interval = _interval(scores, block, fit.fold, rng)
    verdict: Verdict = "none"
    extent = 0.0
    if interval[0] > 0.5 and nats.any():  # else held-out rows say that the logits tell nothing
        extent = _extent(smooth_gap(regimes.features, nats))
        verdict = "global" if extent >= _GLOBAL else "local"
    joints, coordinates = _importance(fit, regimes, robot, scores, rng)
    found: tuple[Suspect, ...] = ()
    closed = None
    if explain and verdict != "none":
        found = suspects(replay, comparison, progress=on_progress)
        on_progress("training classifiers again")
        changed = replay.compare(_DRAWS, {found[0].name: found[0].value})
        closed = CrossFit(regimes.features, changed, block, seed).scores().auc
    names = [log.source for log in logs]
    lines = timelines(replay.windows, nats, replay.seconds, names)
    return GapMap(
        robot=robot.name,
        windows=len(replay.windows),
        seconds=replay.seconds,
        auc=scores.auc,
        interval=interval,
        nats=float(nats.mean()),
        verdict=verdict,
        extent=extent,
        joints=joints,
        coordinates=coordinates,
        plane=telling_plane(regimes, nats),
        timelines=lines,
        times=() if verdict == "none" else least_believable(lines, replay.seconds),
        suspects=found,
        closed_auc=closed,
        logs=tuple(Path(name).name for name in names),
        dropped=replay.windows.dropped,
        seed=seed,
    )


def _blocks(replay: LogReplay) -> NDArray[np.int64]:
    """Return which stretch of time each window is of (n,), counted through all logs."""
    stretch = np.floor(replay.windows.start / _BLOCK).astype(np.int64)
    pairs = np.stack([replay.windows.log, stretch], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].ravel()


def _extent(field: Array) -> float:
    """Return the participation ratio of a gap's local sizes (n,): its share of the windows."""
    size = np.maximum(field, 0.0)
    square = float(np.square(size).mean())
    return float(size.mean() ** 2 / square) if square > 0.0 else 1.0


def _interval(
    scores: Scores, block: NDArray[np.int64], fold: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Return a 95 % interval of the AUC: the log, and the classifiers, could have been others."""
    low, high = auc_interval(scores.source, scores.target, block, rng)
    margin = refit_margin(scores.source, scores.target, fold)
    return max(0.0, min(low, scores.auc - margin)), min(1.0, max(high, scores.auc + margin))


def _importance(
    fit: CrossFit, regimes: Regimes, robot: Robot, scores: Scores, rng: np.random.Generator
) -> tuple[tuple[Importance, ...], tuple[Importance, ...]]:
    """Return the importances of the joints' missing torques, and of the coordinates."""

    def drop(shuffle: Callable[[], Scores]) -> float:
        values = [shuffle() for _ in range(_REPEATS)]
        return scores.auc - float(np.mean([each.auc for each in values]))

    joints = [
        Importance(name=f"{name} torque", joint=name,
                   drop=drop(lambda i=i: fit.without_joint(i, rng)))
        for i, name in enumerate(robot.joints)
    ]  # fmt: skip
    coordinates = [
        Importance(name=item.name, joint=item.joint,
                   drop=drop(lambda part=part: fit.without_features(part, rng)))
        for item, part in zip(regimes.coordinates, regimes.columns, strict=True)
    ]  # fmt: skip
    return _sorted(joints), _sorted(coordinates)


def _sorted(items: list[Importance]) -> tuple[Importance, ...]:
    return tuple(sorted(items, key=lambda item: -item.drop))


def _plain(value: Any) -> Any:
    """Return plain data without numbers that JSON has not."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 9) if np.isfinite(value) else None
    return value
