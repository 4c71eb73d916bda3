"""Actions that move a robot in many ways, for a model that knows nothing yet."""

import numpy as np
from numpy.typing import NDArray

from sim2real.parameters import randomness

_SLOWEST, _FASTEST = 0.3, 4.0  # of the sines [Hz]
_SWING = 0.5  # amplitude of the sines at most: more, and joints are at their limits all the time
_LASTS = 0.03  # time constant of the noise at most [s]
_PERIOD, _BUSY = (1.0, 4.0), (0.4, 1.0)  # from one pause to the next [s], and share without one


class Excitation:
    """For each robot and joint a slow sine of its own, and noise that lasts for a moment.

    The sine takes the robot to many places, the noise tells there what its drives do. From time to
    time a robot is left alone: a model must learn that a robot at rest tells nothing of how it
    moves. Keyed by (seed, robot, step), as all randomness is.
    """

    def __init__(self, seed: int, n: int, ncommand: int, control_hz: float):
        """Draw sines for `n` robots, each with a rate, an amplitude and a noise of its own."""
        self._seed, self._who, self._size, self._hz = seed, np.arange(n), ncommand, control_hz
        drawn = randomness.uniform(seed, "excitation", self._who, size=4 * ncommand + 4)
        amplitude, rate, phase, self._noise = np.split(drawn[:, :-4], 4, axis=1)
        self._amplitude = _SWING * amplitude
        self._rate = 2.0 * np.pi * _SLOWEST * (_FASTEST / _SLOWEST) ** rate
        self._phase = 2.0 * np.pi * phase
        self._keep = np.exp(-1.0 / (control_hz * _LASTS * drawn[:, -4:-3]))
        self._period, self._busy, self._begin = drawn[:, -3:].T[..., None]
        self._period = _PERIOD[0] + (_PERIOD[1] - _PERIOD[0]) * self._period
        self._busy = _BUSY[0] + (_BUSY[1] - _BUSY[0]) * self._busy
        self._wander = np.zeros((n, ncommand))

    def __call__(self, step: int) -> NDArray[np.float64]:
        """Return actions (n, ncommand) in [-1, 1]; call it for one step after the other."""
        who, steps = self._who, np.full(len(self._who), step)
        new = randomness.normal(self._seed, "excitation noise", who, steps, size=self._size)
        self._wander = self._keep * self._wander + np.sqrt(1.0 - self._keep**2) * new
        sine = self._amplitude * np.sin(self._rate * step / self._hz + self._phase)
        busy = (step / self._hz / self._period + self._begin) % 1.0 < self._busy
        return busy * np.clip(sine + self._noise * self._wander, -1.0, 1.0)
