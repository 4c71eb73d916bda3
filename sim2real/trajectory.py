"""A recorded motion in SI units: what logs become and what recorders write."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import LogError
from sim2real.signals import Measured

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """`t` rows of a robot's measurements and the commands sent right after each of them.

    Raises:
        LogError: rows are missing, not finite, or not in the order of time.
    """

    joints: tuple[str, ...]
    """Names of the measured joints, in the order of the columns."""
    driven: tuple[str, ...]
    """Names of the joints that take commands, in the order of `command`'s columns."""
    time: NDArray[np.int64]
    """Stamps of the measurements (t,) [ns], strictly increasing."""
    position: Array
    """(t, njoint) [rad]."""
    velocity: Array
    """(t, njoint) [rad/s]."""
    command: Array
    """(t, ncommand), held until the next row: Nm in torque mode, rad in position mode."""
    orientation: Array | None = None
    """Of a floating base (t, 4): unit quaternion w x y z, world ← base."""
    angular_velocity: Array | None = None
    """Of a floating base (t, 3), in its own frame [rad/s]."""
    source: str = ""
    """The file or run it came from, for messages."""

    def __post_init__(self) -> None:
        t = len(self.time)
        shapes = {
            "position": (t, len(self.joints)),
            "velocity": (t, len(self.joints)),
            "command": (t, len(self.driven)),
        }
        if self.orientation is not None:
            shapes |= {"orientation": (t, 4), "angular_velocity": (t, 3)}
        if t < 2:
            raise LogError(f"{self.source}: {t} rows are no motion: at least 2 are needed")
        for name, shape in shapes.items():
            values = getattr(self, name)
            if values.shape != shape:
                raise LogError(f"{self.source}: {name} has shape {values.shape}, expected {shape}")
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if bad.size:
                raise LogError(
                    f"{self.source}: {name} is not finite in {bad.size} of {t} rows, first in row"
                    f" {bad[0]}: repair or cut those rows"
                )
        steps = np.diff(self.time)
        if (steps <= 0).any():
            row = int(np.flatnonzero(steps <= 0)[0]) + 1
            kind = "repeats" if steps[row - 1] == 0 else "runs backward"
            raise LogError(
                f"{self.source}: time {kind} in row {row} ({int((steps <= 0).sum())} such rows):"
                " stamps must increase"
            )

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
        """Median rate of the rows [Hz]."""
        return float(1e9 / np.median(np.diff(self.time)))
