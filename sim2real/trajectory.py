"""A recorded motion in SI units: what logs become and what recorders write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import LogError
from sim2real.signals import Measured
from sim2real.spool import blocks

Array = NDArray[np.float64]
Stamps = NDArray[np.int64]

_SAMPLE = 100_000
"""Rows that are enough to tell a median."""


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """`t` rows of a robot's measurements, and `c` commands on their own clock or sent after each.

    Raises:
        LogError: rows are missing, not finite, or not in the order of time.
    """

    joints: tuple[str, ...]
    """Names of the measured joints, in the order of the columns."""
    driven: tuple[str, ...]
    """Names of the joints that take commands, in the order of `command`'s columns."""
    time: Stamps
    """Stamps of the measurements (t,) [ns], strictly increasing."""
    position: Array
    """(t, njoint) [rad, or m]."""
    velocity: Array
    """(t, njoint) [rad/s, or m/s]."""
    command: Array
    """(c, ncommand), each held until the next: Nm in torque mode, rad in position mode."""
    command_time: Stamps | None = None
    """Stamps of the commands (c,) [ns] on the clock of `time`, strictly increasing. None if each
    was sent right after the measurement in the same row, c = t."""
    torque: Array | None = None
    """What the drives measured that they gave (t, njoint) [Nm, or N]."""
    enabled: NDArray[np.bool_] | None = None
    """Whether the drives were on (t,); None: throughout."""
    orientation: Array | None = None
    """Of a floating base (t, 4): unit quaternion w x y z, world ← base."""
    angular_velocity: Array | None = None
    """Of a floating base (t, 3), in its own frame [rad/s]."""
    source: str = ""
    """The file or run it came from, for messages."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the file says of the run as a whole, in its own words: payload, gains, supply."""

    def __post_init__(self) -> None:
        if len(self.time) < 2:
            raise LogError(
                f"{self.source}: {len(self.time)} rows are no motion: at least 2 are needed"
            )
        for name, shape in self._shapes().items():
            _check_values(self.source, name, getattr(self, name), shape)
        _check_order(self.source, "time", self.time)
        if self.command_time is not None:
            _check_order(self.source, "command_time", self.command_time)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        t, njoint = len(self.time), len(self.joints)
        c = t if self.command_time is None else len(self.command_time)
        shapes = {
            "position": (t, njoint),
            "velocity": (t, njoint),
            "command": (c, len(self.driven)),
            "command_time": (c,),
            "torque": (t, njoint),
            "enabled": (t,),
            "orientation": (t, 4),
            "angular_velocity": (t, 3),
        }
        return {name: shape for name, shape in shapes.items() if getattr(self, name) is not None}

    @property
    def measured(self) -> Measured:
        """What was measured, signals (t, size)."""
        return Measured(
            position=self.position,
            velocity=self.velocity,
            orientation=self.orientation,
            angular_velocity=self.angular_velocity,
        )

    @property
    def seconds(self) -> Array:
        """Time since the first row (t,) [s]."""
        return (self.time - self.time[0]) * 1e-9

    @property
    def rate(self) -> float:
        """Median rate of the rows [Hz]; of a long log, of a sample of them."""
        every = max(1, len(self.time) // _SAMPLE)
        return float(1e9 / np.median(self.time[1::every] - self.time[:-1:every]))

    @property
    def command_stamps(self) -> Stamps:
        """Stamps of the commands (c,) [ns]."""
        return self.time if self.command_time is None else self.command_time

    def commands_at(self, stamps: Stamps) -> Array:
        """Return the commands in force at `stamps` (n,) [ns], (n, ncommand).

        Each holds from its own stamp on; before the first one, that one.
        """
        held = np.searchsorted(self.command_stamps, stamps, "right") - 1
        return self.command[np.maximum(held, 0)]


def _check_values(source: str, name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise LogError(f"{source}: {name} has shape {values.shape}, expected {shape}")
    if values.dtype.kind != "f":
        return
    bad, first = 0, 0
    for part in blocks(len(values)):
        rows = np.flatnonzero(~np.isfinite(values[part]).all(axis=1))
        if rows.size and not bad:
            first = part.start + int(rows[0])
        bad += rows.size
    if bad:
        raise LogError(
            f"{source}: {name} is not finite in {bad} of {shape[0]} rows, first in row {first}:"
            " repair or cut those rows"
        )


def _check_order(source: str, name: str, stamps: Stamps) -> None:
    bad, first, kind = 0, 0, ""
    for part in blocks(len(stamps) - 1):
        steps = np.diff(stamps[part.start : part.stop + 1])
        rows = np.flatnonzero(steps <= 0)
        if rows.size and not bad:
            first = part.start + int(rows[0]) + 1
            kind = "repeats" if steps[rows[0]] == 0 else "runs backward"
        bad += rows.size
    if bad:
        raise LogError(
            f"{source}: {name} {kind} in row {first} ({bad} such rows): stamps must increase"
        )
