"""Which dynamics parameter, changed, would close most of a gap."""

from collections.abc import Callable
from dataclasses import dataclass

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
_MOST_WINDOWS = 250
_REFINEMENTS = 2
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
    found = []
    for name, nominal, values in _candidates(replay, comparison):
        progress(f"trying {name}")

        def misfit(values: Array, name: str = name) -> Array:
            missing = replay.residuals((name,), values[:, None], rows)
            return np.array([_misfit(each / scale) for each in missing])

        start, value, least = _search(misfit, nominal, values)
        share = (start - least) / max(start - floor, 1e-9)
        closed = float(np.clip(share, 0.0, 1.0))
        found.append(Suspect(name=name, nominal=nominal, value=value, closed=closed))
    return tuple(sorted(found, key=lambda suspect: -suspect.closed))


def _search(
    misfit: Callable[[Array], Array], nominal: float, values: Array
) -> tuple[float, float, float]:
    """Return the misfit of the nominal value, the best value, and its misfit."""
    tried = np.sort(np.unique(np.append(values, nominal)))
    costs = misfit(tried)
    start = float(costs[tried == nominal][0])
    for _ in range(_REFINEMENTS):
        best = int(np.argmin(costs))
        low, high = tried[max(0, best - 1)], tried[min(len(tried) - 1, best + 1)]
        between = np.concatenate(
            [np.linspace(low, tried[best], 4)[1:-1], np.linspace(tried[best], high, 4)[1:-1]]
        )
        between = np.setdiff1d(between, tried)
        if not len(between):
            break
        tried, costs = np.append(tried, between), np.append(costs, misfit(between))
        order = np.argsort(tried)
        tried, costs = tried[order], costs[order]
    best = int(np.argmin(costs))
    return start, float(tried[best]), float(costs[best])


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
