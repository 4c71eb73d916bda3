"""Which dynamics parameter, changed, would close most of a gap."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError
from sim2real.gap.replay import LONGEST_DELAY, Comparison, LogReplay
from sim2real.parameters.names import ParameterName
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot

Array = NDArray[np.float64]

_SCALES = (0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
_SHARES = (0.03, 0.1, 0.3)
"""Of what a joint's torque is, for what is 0 in the model."""
_MOST_WINDOWS = 150
_REFINED, _TURNS = 4, 4
_KINDS = {
    "joint": ("damping", "frictionloss", "armature", "stiffness"),
    "actuator": ("strength", "torque_limit", "delay", "kp", "kd"),
}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A parameter, and what it would explain."""

    name: str
    nominal: float
    value: float
    """At which most is explained."""
    closed: float
    """Share of what is missing beyond the noise that is explained then, in [0, 1]."""


def suspects(
    replay: LogReplay, comparison: Comparison, *, progress: Callable[[str], None] = lambda _: None
) -> tuple[Suspect, ...]:
    """Return the parameters of the robot, the one that explains most first.

    Each is changed alone. What a joint's friction, its drive or a body's mass explain is measured
    in missing torque over its noise, where outliers count by their size, not by its square.
    """
    n = len(replay.windows)
    rows = np.arange(0, n, max(1, n // _MOST_WINDOWS))
    scale = np.maximum(_deviation(comparison.simulated), 1e-12)
    floor = _misfit(comparison.simulated[:, rows] / scale)
    searches = []
    for name, nominal, values in _candidates(replay, comparison):
        progress(f"trying {name}")

        def misfit(values: Array, name: str = name) -> Array:
            missing = replay.residuals(name, values, rows)
            return np.array([_misfit(each / scale) for each in missing])

        searches.append(_Search(name, misfit, nominal, values))
    searches.sort(key=lambda search: search.least)
    for search in searches[:_REFINED]:
        progress(f"refining {search.name}")
        search.refine()
    found = [
        Suspect(
            name=search.name,
            nominal=search.nominal,
            value=search.value,
            closed=float(np.clip((search.start - search.least) / max(search.start - floor, 1e-9),
                                 0.0, 1.0)),
        )
        for search in searches
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda suspect: -suspect.closed))


@final
class _Search:
    """One parameter's values, and the misfit of each."""

    def __init__(self, name: str, misfit: Callable[[Array], Array], nominal: float, values: Array):
        self.name, self.nominal, self._misfit = name, nominal, misfit
        self._tried = np.unique(np.append(values, nominal))
        self._costs = misfit(self._tried)
        self.start = float(self._costs[self._tried == nominal][0])

    @property
    def least(self) -> float:
        return float(self._costs.min())

    @property
    def value(self) -> float:
        return float(self._tried[self._costs.argmin()])

    def refine(self) -> None:
        """Try values between the best and its neighbours, again and again."""
        for _ in range(_TURNS):
            best, last = int(np.argmin(self._costs)), len(self._tried) - 1
            ends = self._tried[[max(0, best - 1), best, min(last, best + 1)]]
            parts = [np.linspace(low, high, 4)[1:-1] for low, high in pairwise(ends)]
            between = np.setdiff1d(np.concatenate(parts), self._tried)
            if len(between):
                tried = np.append(self._tried, between)
                costs, order = np.append(self._costs, self._misfit(between)), np.argsort(tried)
                self._tried, self._costs = tried[order], costs[order]


def _misfit(z: Array) -> float:
    """Return how large standardized torques (..., njoint) are: soft L1, averaged."""
    return float(np.mean(np.sqrt(1.0 + np.square(z)) - 1.0))


def _deviation(draws: Array) -> Array:
    """Return a robust standard deviation of draws (m, n, njoint), (njoint,)."""
    return np.median(np.abs(draws), axis=(0, 1)) / 0.6745


def _candidates(replay: LogReplay, comparison: Comparison) -> list[tuple[str, float, Array]]:
    """Return names, present values, and values to try."""
    robot, model = replay.robot, replay.model
    names = [
        f"{kind}.{element}.{attribute}"
        for kind, attributes in _KINDS.items()
        for element in (robot.joints if kind == "joint" else robot.driven)
        for attribute in attributes
        if kind == "joint" or not replay.measured_commands
    ]
    bodies = [model.body(i).name for i in range(1, model.nbody) if _moves(model, i)]
    names += [f"body.{name}.{what}" for name in bodies if name for what in ("mass", "payload")]
    names += list(robot.ranges)
    if np.any(model.opt.gravity):
        names.append(f"opt.gravity[{int(np.argmax(np.abs(model.opt.gravity)))}]")
    torque = _torques(replay, comparison)
    found = []
    for name in dict.fromkeys(names):
        try:
            parameters = ParameterSet(model, tuple(robot.joints), (name, *replay.base))
        except ParameterError:  # not on this element, or the same number as a calibrated one
            continue
        term = parameters.terms[0]
        if not term.fields or (replay.measured_commands and term.name.kind == "actuator"):
            continue
        nominal = replay.base.get(name, term.nominal)
        values = _values(term.name, nominal, torque, replay)
        low, high = term.bounds
        values = values[(values >= low) & (values <= high)]
        if len(values):
            found.append((name, nominal, values))
    return found


def _values(name: ParameterName, nominal: float, torque: Array, replay: LogReplay) -> Array:
    if name.attribute == "delay":
        return np.linspace(0.0, LONGEST_DELAY, 7)
    if name.attribute in ("strength", "gain"):  # a drive can be dead
        return nominal * np.array((0.0, *_SCALES))
    if nominal != 0.0:
        return nominal * np.array(_SCALES)
    robot: Robot = replay.robot
    if name.attribute == "payload":
        return float(replay.model.body_mass.sum()) * np.array(_SHARES)
    if name.kind == "joint":
        joint = list(robot.joints).index(name.object)
        speed = max(float(np.std(replay.windows.velocity[:, joint])), 1e-3)
        angle = max(float(np.std(replay.windows.position[:, joint])), 1e-3)
        units = {"damping": 1.0 / speed, "stiffness": 1.0 / angle, "frictionloss": 1.0}
        return torque[joint] * units.get(name.attribute, 0.0) * np.array(_SHARES)
    return np.empty(0)


def _torques(replay: LogReplay, comparison: Comparison) -> Array:
    """Return the size of the torques at each joint (njoint,): told, allowed, or missing."""
    robot = replay.robot
    size = 3.0 * np.std(comparison.real, axis=0)
    for i, joint in enumerate(robot.joints.values()):
        if joint.limits is not None and joint.mode != "passive":
            size[i] = max(size[i], joint.limits.torque)
    return size


def _moves(model: mujoco.MjModel, body: int) -> bool:
    """Whether a body has mass and hangs on a joint."""
    return bool(model.body_mass[body] > 0 and model.body_weldid[body] != 0)
