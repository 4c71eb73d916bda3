"""What may be believed of what a robot says, taken alone: pure functions of arrays.

Comparisons are written so that NaN fails them: `not (x <= limit)`, never `x > limit`.
"""

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.driver import Health
from sim2real.deploy.envelope.bounds import Array, Envelope
from sim2real.deploy.envelope.verdict import OK, Check, trip
from sim2real.signals import Measured

_UNIT = 0.02  # how far the square of a quaternion's length may be from 1


def plausible(envelope: Envelope, measured: Measured) -> NDArray[np.bool_]:
    """Return which of n robots' measurements, each signal (n, size), may be believed, (n,)."""
    row = measured.joined()
    good = np.asarray(((row >= envelope.low) & (row <= envelope.high)).all(axis=-1))
    if measured.orientation is None:
        return good
    w, x, y, z = np.moveaxis(measured.orientation, -1, 0)
    unit = np.abs(w * w + x * x + y * y + z * z - 1.0) <= _UNIT
    return good & unit & (1.0 - 2.0 * (x * x + y * y) >= envelope.cos_tilt)


def check_signals(envelope: Envelope, measured: Measured) -> Check:
    """Return OK, or a TRIP that names the first signal of one robot that is not plausible."""
    if plausible(envelope, measured):
        return OK
    row = np.array(measured.row())
    good = (row >= envelope.low) & (row <= envelope.high)
    if good.all():
        return trip(_orientation(envelope, measured.orientation))
    first = int(np.argmin(good))
    name, value = envelope.names[first], row[first]
    if not np.isfinite(value):
        return trip(f"{name} is {value}: not finite")
    low, high = envelope.low[first], envelope.high[first]
    return trip(f"{name} is {value:.4g}: not in limits, {low:.4g} to {high:.4g}")


def check_health(envelope: Envelope, health: Health | None) -> Check:
    """Return OK, or a TRIP if motors are hot or the supply is weak; OK if nothing is told."""
    if health is None:
        return OK
    if health.temperature is not None:
        good = health.temperature <= envelope.temperature
        if not good.all():
            first = int(np.argmin(good))
            return trip(
                f"the motor of {envelope.driven[first]!r} is {health.temperature[first]:.4g} °C"
                f" hot, at most {envelope.temperature:g} °C are allowed"
            )
    low, high = envelope.voltage
    if health.voltage is not None and not low <= health.voltage <= high:
        return trip(f"the supply gives {health.voltage:.4g} V: not in {low:g} to {high:g} V")
    return OK


def _orientation(envelope: Envelope, orientation: Array) -> str:
    if not abs(np.linalg.norm(orientation) - 1.0) <= _UNIT:
        return f"the orientation {orientation} is no unit quaternion"
    _, x, y, _ = orientation
    angle = np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0))
    return f"the base is tilted by {angle:.3g} rad, beyond what the envelope allows"
