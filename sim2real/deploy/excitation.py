"""Designed motions for calibration, played through the same loop as a controller."""

import math
from collections.abc import Callable
from typing import Any, Literal, final

import numpy as np

from sim2real.control import resting_command
from sim2real.deploy.source import Array, CommandSource
from sim2real.errors import ConfigError, known
from sim2real.parameters.randomness import uniform
from sim2real.robot import Joint, Robot
from sim2real.signals import Measured

Kind = Literal["multisine", "chirp", "steps"]

# position mode: share of the way to the nearer limit, and of the largest velocity, at amplitude 1
_REACH, _SPEED = 0.5, 0.5


@final
class Excitation(CommandSource):
    """Bounded test signals: around 0 in torque mode, around `home` in position mode.

    The same arguments give the same signal. It fades in and out, and stays at rest afterwards.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        kind: Kind = "multisine",
        seconds: float = 10.0,
        amplitude: float = 0.8,
        band: tuple[float, float] = (0.2, 1.5),
        seed: int = 0,
    ):
        """Design the motion; raises ConfigError.

        Args:
            robot: the robot that is to be moved.
            kind: sum of sines, swept sine, or random levels.
            seconds: length [s].
            amplitude: largest command, in (0, 1]: share of the torque limit, or of half the way
                from `home` to the nearer position limit.
            band: lowest and highest frequency [Hz].
            seed: of phases and levels.
        """
        _check(robot, kind, seconds, amplitude, band)
        self.goal = ()
        self.origin: dict[str, Any] = {
            "kind": "excitation", "signal": kind, "seconds": seconds, "amplitude": amplitude,
            "band": list(band), "seed": seed,
        }  # fmt: skip
        self.seconds = seconds
        self.signal = _design(robot, kind, seconds, amplitude, band, seed)
        """The commands (t, ncommand) [Nm, or rad]."""
        self._rest = resting_command(robot)
        self._row = 0

    def reset(self, command: Array) -> None:  # noqa: D102
        self._row = 0

    def step(self, measured: Measured, goal: Array) -> Array:  # noqa: D102
        row, self._row = self._row, self._row + 1
        return self.signal[row] if row < len(self.signal) else self._rest


def _check(
    robot: Robot, kind: str, seconds: float, amplitude: float, band: tuple[float, float]
) -> None:
    if kind not in _SIGNALS:
        raise ConfigError(f"excitation: kind {kind!r}{known(kind, _SIGNALS)}")
    if not 0 < amplitude <= 1:
        raise ConfigError(f"excitation: amplitude {amplitude} must be in (0, 1], a share of limits")
    if not 0 < band[0] < band[1] <= robot.control_hz / 4:
        raise ConfigError(
            f"excitation: band {list(band)} Hz must be [low, high] within (0,"
            f" {robot.control_hz / 4:g}], a quarter of control_hz"
        )
    if not 0.0 < seconds < math.inf:
        raise ConfigError(f"excitation: {seconds} s: give a finite time above 0")
    if not seconds * band[0] >= 0.5:
        raise ConfigError(
            f"excitation: {seconds} s are less than half a period of {band[0]} Hz: play longer or"
            " raise the band"
        )


def _design(
    robot: Robot, kind: Kind, seconds: float, amplitude: float, band: tuple[float, float], seed: int
) -> Array:
    time = np.arange(round(seconds * robot.control_hz)) / robot.control_hz
    fade = _smooth(np.minimum(time, time[-1] - time) / min(1.0, seconds / 8))
    columns = []
    for i, name in enumerate(robot.driven):
        wave = _SIGNALS[kind](time, band, seed, f"excitation.{name}", i) * fade
        wave = wave / np.abs(wave).max()
        columns.append(_fit(robot.joints[name], wave * amplitude, robot.control_hz))
    return np.stack(columns, axis=1)


def _fit(joint: Joint, wave: Array, hz: float) -> Array:
    """Return the commands of a wave in [-1, 1]: within the joint's limits of place and speed."""
    assert joint.limits is not None  # checked by Joint
    if joint.mode == "torque":
        return wave * joint.limits.torque
    low, high = joint.limits.position or (joint.home, joint.home)
    wave = wave * _REACH * max(0.0, min(joint.home - low, high - joint.home))
    speed = np.abs(np.diff(wave)).max() * hz
    return joint.home + wave * min(1.0, _SPEED * joint.limits.velocity / max(speed, 1e-12))


def _multisine(time: Array, band: tuple[float, float], seed: int, term: str, joint: int) -> Array:
    n, draws = 8, 64
    u = uniform(seed, term, np.arange(draws), size=2 * n)
    # one sine in each of n equal parts of the band on a log scale, elsewhere for each joint
    frequency = band[0] * (band[1] / band[0]) ** ((np.arange(n) + u[0, :n]) / n)
    angle = 2 * np.pi * frequency * time[:, None]
    # sines times cosines and the reverse: the sum of sin(angle + phase) for all draws of phases
    phase = 2 * np.pi * u[:, n:].T
    waves = np.sin(angle) @ np.cos(phase) + np.cos(angle) @ np.sin(phase)
    # of the draws the one with the lowest peak: most energy within the same limits
    return waves[:, np.argmin(np.abs(waves).max(axis=0) / waves.std(axis=0))]


def _chirp(time: Array, band: tuple[float, float], seed: int, term: str, joint: int) -> Array:
    ratio = np.log(band[1] / band[0])
    cycles = band[0] * time[-1] / ratio * (np.exp(ratio * time / time[-1]) - 1)
    wave = np.sin(2 * np.pi * (cycles + uniform(seed, term, [0], size=1)[0, 0]))
    return wave if joint % 2 == 0 else wave[::-1].copy()  # neighbours do not move alike


def _steps(time: Array, band: tuple[float, float], seed: int, term: str, joint: int) -> Array:
    n = int(np.ceil(time[-1] * 2 * band[1])) + 2
    u = uniform(seed, term, [0], size=2 * n)[0]
    shortest, longest = 0.5 / band[1], 0.5 / band[0]
    start = np.concatenate([[0.0], np.cumsum(shortest * (longest / shortest) ** u[:n])])
    level = np.concatenate([[0.0], 2 * u[n:] - 1])
    rise = _smooth((time[:, None] - start[1:]) / shortest)
    return level[0] + (rise * np.diff(level)).sum(axis=1)


def _smooth(x: Array) -> Array:
    """Return 0 below 0, 1 above 1 and a half cosine between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0))


_SIGNALS: dict[str, Callable[..., Array]] = {
    "multisine": _multisine,
    "chirp": _chirp,
    "steps": _steps,
}
