"""What sensors report of the true state, and when: one signal a kind of measurement.

The order is a sensor's own: the state of a while ago, what the sensor adds to it, its resolution,
and whether the sample arrives. Noise is drawn for each measurement, so the delay leaves it white.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.sim import delay_line, imu
from sim2real.sim.clock import Clock
from sim2real.sim.table import Table

Array = NDArray[np.float64]

NOMINAL = {
    "gain": 1.0,
    **dict.fromkeys(("bias", "noise", "drift", "walk"), 0.0),
    **dict.fromkeys(("resolution", "dropout", "delay", "delay_jitter"), 0.0),
    "freeze_time": math.inf,
}


@final
class Signal:
    """Measurements of `nsim` simulations, `size` numbers each.

    An orientation is a quaternion w x y z with three flaws, about the body's axes; it comes, stays
    and is late as a whole, as the first of them says.
    """

    def __init__(self, name: str, nsim: int, size: int, *, orientation: bool = False):
        self.name, self._is_orientation = name, orientation
        self.size = size = 3 if orientation else size
        """How many of its numbers can be wrong."""
        self.parameters = Table(nsim, size, NOMINAL)
        self.memory: dict[str, Array] = {}
        """`past` (nsim, depth, size), newest first; `walk`, `held`."""
        self.largest = {"delay": 0.0, "delay_jitter": 0.0}
        """What they can become before the next `reset`, where they change within an episode."""

    def reset(self, rows: NDArray[Any], truth: Array, clock: Clock) -> None:
        """Forget the past of simulations `rows`: it was `truth` (nsim, size) for ever."""
        if self.parameters.uses("delay", "delay_jitter"):
            depth = math.ceil(self._longest() * clock.rate) + 2
            past = self.memory.get("past", truth[:, None].copy())
            self.memory["past"] = past = delay_line.deepened(past, depth)
            past[rows] = truth[rows, None]
        if self.parameters.uses("walk"):
            self.memory.setdefault("walk", np.zeros((len(truth), self.size)))[rows] = 0.0
        if self.parameters.uses("dropout", "freeze_time"):
            self.memory.setdefault("held", truth.copy())[rows] = truth[rows]

    def advance(self, truth: Array, clock: Clock) -> None:
        """Take note of `truth` (nsim, size) at the end of a control step."""
        if "past" in self.memory:
            delay_line.push(self.memory["past"], truth)
        if "walk" in self.memory:
            z = clock.normal(f"{self.name} walk", self.size)
            self.memory["walk"] += self.parameters.value("walk") * z / math.sqrt(clock.rate)

    def measure(self, truth: Array, rows: Any, clock: Clock, z: Array) -> Array:
        """Return what is measured in `rows` now: (n, size), for their `truth` (n, size).

        `z` (n, size) are the standard normal numbers of its noise; nothing where it has none.
        """
        if not self.parameters.uses():
            return truth
        value = self._delayed(truth, rows, clock)
        value = self._quantized(self._disturbed(value, rows, clock, z), rows)
        if "held" not in self.memory:
            return value
        held = self.memory["held"]
        held[rows] = np.where(self._stale(rows, clock), held[rows], value)
        return held[rows].copy()

    def _longest(self) -> float:
        value = self.parameters.value
        delay, jitter = (np.maximum(value(name), most) for name, most in self.largest.items())
        return float((delay + jitter).max())

    def _delayed(self, truth: Array, rows: Any, clock: Clock) -> Array:
        if "past" not in self.memory:
            return truth
        delay, jitter = self.parameters.value("delay")[rows], self.parameters.get("delay_jitter")
        if jitter is not None:
            delay = delay + jitter[rows] * clock.uniform(f"{self.name} delay", self.size, rows)
        lag = self._for_each_number(delay * clock.rate, truth.shape)
        value = delay_line.read(self.memory["past"][rows], lag)
        return imu.normalized(value) if self._is_orientation else value

    def _disturbed(self, value: Array, rows: Any, clock: Clock, z: Array) -> Array:
        get = self.parameters.get
        if (gain := get("gain")) is not None:
            value = gain[rows] * value
        errors: list[Array] = []
        if (bias := get("bias")) is not None:
            errors.append(bias[rows])
        if (drift := get("drift")) is not None:
            errors.append(drift[rows] * clock.time[rows, None])
        if "walk" in self.memory:
            errors.append(self.memory["walk"][rows])
        if (noise := get("noise")) is not None:
            errors.append(noise[rows] * z)
        if not errors:
            return value
        error = sum(errors[1:], errors[0])
        return imu.turned(value, error) if self._is_orientation else value + error

    def _quantized(self, value: Array, rows: Any) -> Array:
        resolution = self.parameters.get("resolution")
        if resolution is None:
            return value
        step = self._for_each_number(resolution[rows], value.shape)
        if not self._is_orientation:
            return quantized(value, step)
        return imu.normalized(quantized(value, 0.5 * step))  # a number is half an angle's sine

    def _stale(self, rows: Any, clock: Clock) -> NDArray[np.bool_]:
        """Return whose new sample does not come: (n, size); the first one always does."""
        stale = clock.time[rows, None] >= self.parameters.value("freeze_time")[rows]
        if (dropout := self.parameters.get("dropout")) is not None:
            stale |= clock.uniform(f"{self.name} dropout", self.size, rows) < dropout[rows]
        stale &= clock.step[rows, None] > 0
        return self._for_each_number(stale, self.memory["held"][rows].shape)

    def _for_each_number(self, flaw: Any, shape: tuple[int, ...]) -> Any:
        return np.broadcast_to(flaw[:, :1], shape) if self._is_orientation else flaw


@final
class Sensors:
    """The signals of `nsim` robots by name; `position` and `velocity` of the joints among them."""

    def __init__(
        self,
        nsim: int,
        sizes: Mapping[str, int],
        *,
        vectors: Sequence[str] = (),
        orientations: Sequence[str] = (),
    ):
        """Make sensors that report the truth.

        Args:
            nsim: number of simulations.
            sizes: signal → how many numbers it has.
            vectors: signals of the base's IMU that are vectors (n, 3) in its frame.
            orientations: those that are its orientation, world ← base, as w x y z (n, 4).
        """
        self.signals = {
            name: Signal(name, nsim, size, orientation=name in orientations)
            for name, size in sizes.items()
        }
        self.mounting = Table(nsim, 3, {"tilt": 0.0})
        """`tilt`: roll, pitch, yaw of the IMU on the base [rad]."""
        self._seen_as = dict.fromkeys(vectors, imu.as_seen)
        self._seen_as |= dict.fromkeys(orientations, imu.orientation_as_seen)
        ends = np.cumsum([signal.size for signal in self.signals.values()]).tolist()
        starts = [0, *ends[:-1]]
        self._noise_of = dict(zip(self.signals, map(slice, starts, ends), strict=True))
        self._nnoise = ends[-1]

    def __getitem__(self, name: str) -> Signal:
        return self.signals[name]

    def reset(self, rows: NDArray[Any], truth: Mapping[str, Array], clock: Clock) -> None:
        """Forget the past of simulations `rows`; `truth` holds each signal (nsim, size)."""
        for name, signal in self.signals.items():
            if signal.parameters.uses():
                signal.reset(rows, self._seen(name, truth[name], slice(None)), clock)

    def advance(self, truth: Mapping[str, Array], clock: Clock) -> None:
        """Take note of the true signals at the end of a control step."""
        for name, signal in self.signals.items():
            if signal.memory:
                signal.advance(self._seen(name, truth[name], slice(None)), clock)

    def measure(
        self, truth: Mapping[str, Array], clock: Clock, rows: Any = slice(None)
    ) -> dict[str, Array]:
        """Return the measured signals of simulations `rows`, each (n, size).

        Asking twice changes nothing. What is perfect comes back as a view of the truth.
        """
        z = self._noise(clock, rows)
        return {
            name: signal.measure(
                self._seen(name, truth[name][rows], rows), rows, clock, z[:, self._noise_of[name]]
            )
            for name, signal in self.signals.items()
        }

    def _noise(self, clock: Clock, rows: Any) -> Array:
        """Return standard normal numbers for all signals, (n, numbers); (0, 0) if none is noisy.

        One draw for all: what a draw costs hardly depends on how many numbers it gives.
        """
        if not any(signal.parameters.uses("noise") for signal in self.signals.values()):
            return np.zeros((0, 0))
        return clock.normal("noise", self._nnoise, rows)

    def _seen(self, name: str, value: Array, rows: Any) -> Array:
        tilt = self.mounting.get("tilt")
        if tilt is None or name not in self._seen_as:
            return value
        return self._seen_as[name](value, tilt[rows])


def quantized(value: Array, resolution: Array) -> Array:
    """Return the nearest multiples of `resolution`, or `value` where the resolution is 0."""
    fine = resolution <= 0.0
    step = np.where(fine, 1.0, resolution)
    return np.where(fine, value, np.round(value / step) * step)
