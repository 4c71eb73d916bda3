"""What may be believed of a robot's measurements, one after the other."""

from typing import final

import numpy as np

from sim2real.deploy.driver import Measurement
from sim2real.deploy.envelope.bounds import Array, Envelope
from sim2real.deploy.envelope.measurements import check_health, check_signals
from sim2real.deploy.envelope.verdict import OK, Check, Verdict, trip
from sim2real.rotation import cross

_MEMORY = 0.5  # s after which a contradiction between sensors is forgotten
_TURN_LAG = 0.5  # rad by which orientation and gyroscope of a base may disagree


@final
class Stream:
    """Measurements as they come, of one robot.

    A sensor that is stuck, permuted or of the wrong sign says nothing impossible, but contradicts
    another one: positions must move as velocities say, and an orientation must turn as the
    gyroscope says. The contradiction is summed, and forgotten slowly.
    """

    def __init__(self, envelope: Envelope):
        self.envelope = envelope
        self.last: Measurement | None = None
        """The newest measurement that was believed."""
        self._moved = np.zeros(0)
        self._turned = np.zeros(3)

    def check(self, measured: Measurement, now: int) -> Check:
        """Return OK and remember the measurement, or say what is wrong with it.

        Args:
            measured: the newest measurement.
            now: the time of this computer's clock [ns].
        """
        last = self.last
        check = self._order(measured, last, now)
        if check.verdict != Verdict.OK or (last is not None and measured.seq == last.seq):
            return check
        check = self._content(measured, last)
        if check.verdict == Verdict.OK:
            self.last = measured
        return check

    def forget(self) -> None:
        """Believe whatever comes next, as at the start."""
        self.last, self._moved, self._turned = None, np.zeros(0), np.zeros(3)

    def _order(self, measured: Measurement, last: Measurement | None, now: int) -> Check:
        age = (now - measured.received) * 1e-9
        most = self.envelope.max_age
        if not abs(age) <= most:
            return trip(f"the newest measurement is {age:.3g} s old, at most {most:g} s")
        if last is None or measured.seq == last.seq:
            return OK
        if not measured.seq > last.seq:
            return trip(f"measurement {measured.seq} came after {last.seq}: out of order")
        elapsed = (measured.stamp - last.stamp) * 1e-9
        here = (measured.received - last.received) * 1e-9
        if not (elapsed > 0.0 and abs(elapsed - here) <= most):
            return trip(f"the robot's clock jumped: by {elapsed:.3g} s in {here:.3g} s")
        return OK

    def _content(self, measured: Measurement, last: Measurement | None) -> Check:
        check = check_signals(self.envelope, measured.signals)
        if check.verdict == Verdict.OK:
            check = check_health(self.envelope, measured.health)
        if check.verdict == Verdict.OK and last is not None:
            check = self._consistency(measured, last)
        return check

    def _consistency(self, measured: Measurement, last: Measurement) -> Check:
        envelope, now, before = self.envelope, measured.signals, last.signals
        seconds = (measured.stamp - last.stamp) * 1e-9
        keep = max(0.0, 1.0 - seconds / _MEMORY)
        moved = np.take(now.position - before.position, envelope.servos.index)
        meant = np.take(now.velocity + before.velocity, envelope.servos.index) * 0.5 * seconds
        self._moved = (self._moved if self._moved.size else np.zeros_like(moved)) * keep
        self._moved += moved - meant
        good = np.abs(self._moved) <= envelope.lag * envelope.velocity
        if not good.all():
            first = int(np.argmin(good))
            return trip(
                f"position and velocity of {envelope.driven[first]!r} contradict each other by"
                f" {abs(self._moved[first]):.3g} rad: a sensor is stuck, or joints are exchanged"
            )
        if now.orientation is None:
            return OK
        rate = 0.5 * (now.angular_velocity + before.angular_velocity)
        self._turned = self._turned * keep + _turn(before.orientation, now.orientation)
        self._turned -= rate * seconds
        if not np.linalg.norm(self._turned) <= _TURN_LAG:
            return trip(
                "orientation and gyroscope of the base contradict each other by"
                f" {np.linalg.norm(self._turned):.3g} rad: a sensor is stuck, or turned"
            )
        return OK


def _turn(before: Array, now: Array) -> Array:
    """Return the rotation vector (3,) from one orientation to a near one, in the body's frame."""
    w, v = before[0], before[1:]
    scalar = w * now[0] + v @ now[1:]
    vector = w * now[1:] - now[0] * v - cross(v, now[1:])
    return 2.0 * np.copysign(1.0, scalar) * vector
