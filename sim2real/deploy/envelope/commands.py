"""What may be sent: pure functions of arrays, of one robot or of n simulations.

Comparisons are written so that NaN fails them: `not (x <= limit)`, never `x > limit`.
"""

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.envelope.bounds import Array, Envelope
from sim2real.deploy.envelope.verdict import OK, Check, Verdict, trip
from sim2real.signals import Measured

_ROUNDING = 1e-6  # float32 controllers round their limits
# shares of the largest velocity over which torque is taken back: near a limit, and near that speed
_NEAR, _FAST = 0.02, 0.1
# a joint is trusted with the deceleration of its heaviest pose and load: in others its motor gives
# more, and a torque that is taken back too steeply for it would throw the joint to and fro
_STRONGER = 2.0
_STEPS = 4.0  # control steps in which the rest of the way to a limit may be covered


def limited(envelope: Envelope, command: Array, previous: Array, measured: Measured) -> Array:
    """Return what may be sent of commands (..., ncommand); NaN or beyond where nothing may.

    From the weakest to the strongest: a servo's target changes by at most its largest velocity in
    a control step; the torque that a command asks for, |kp (q* - q) - kd dq|, stays within the
    motor's and within what `torques` allows; a command stays within the joint's limits.

    Args:
        envelope: the limits.
        command: what is wanted (..., ncommand) [Nm, or rad].
        previous: what was sent before (..., ncommand).
        measured: what the robots measure, each signal (..., size).
    """
    servos = envelope.servos
    servo = servos.kp > 0.0
    q, dq = (np.take(x, servos.index, axis=-1) for x in (measured.position, measured.velocity))
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows fails the last check
        least, most = torques(envelope, q, dq)
        kp = np.where(servo, servos.kp, 1.0)
        centre = np.where(servo, q + servos.kd / kp * dq, 0.0)
        wanted = _between(command, previous - envelope.rate, previous + envelope.rate)
        wanted = _between(wanted, centre + least / kp, centre + most / kp)
        return _between(wanted, *envelope.command)


def torques(envelope: Envelope, position: Array, velocity: Array) -> tuple[Array, Array]:
    """Return the least and the largest torque that driven joints may be given (..., ncommand).

    A joint may move towards a limit no faster than it can brake before it, √(2 a d) at a distance
    d, and no faster than its largest velocity. Near that speed torque is taken back, and beyond it
    the joint is braked: the velocity damper of Faverjon and Tournassoud (1987), with the braking
    parabola of Del Prete (2018, eq. 8) as the speed that is allowed.

    Args:
        envelope: the limits.
        position: of the driven joints (..., ncommand) [rad].
        velocity: of the driven joints (..., ncommand) [rad/s].
    """
    low, high = envelope.stop
    torque, fastest = envelope.servos.limit, envelope.velocity
    # a torque stays for a control step: what that adds to the speed must fit into the bands
    step = envelope.period * _STRONGER * envelope.braking
    near, fast = _NEAR * fastest + step, _FAST * fastest + step
    # braking begins a control step early: it is that long until another command comes
    ahead = position + envelope.period * velocity
    least = np.maximum(
        (-_approach(envelope, ahead - low) - velocity) / near, (-fastest - velocity) / fast
    )
    most = np.minimum((_approach(envelope, high - ahead) - velocity) / near,
                      (fastest - velocity) / fast)  # fmt: skip
    return _between(least, -1.0, 1.0) * torque, _between(most, -1.0, 1.0) * torque


def limit_command(
    envelope: Envelope, command: Array, previous: Array, measured: Measured
) -> tuple[Array | None, Check]:
    """Return what may be sent of one robot's command (ncommand,), or None with a TRIP.

    The arguments are those of `limited`.
    """
    low, high = envelope.command
    if command.shape != low.shape:
        return None, trip(f"the command has shape {command.shape}, expected {low.shape}")
    finite = np.isfinite(command)
    if not finite.all():
        return None, trip(_reason(envelope, finite, command, "finite"))
    sent = limited(envelope, command, previous, measured)
    possible = (sent >= low) & (sent <= high)
    if not possible.all():
        return None, trip(_reason(envelope, possible, command, "possible from what is measured"))
    kept = np.abs(sent - command) <= _ROUNDING
    if kept.all():
        return sent, OK
    return sent, Check(Verdict.CLIP, _reason(envelope, kept, command, "within limits"))


def changed(sent: Array, wanted: Array) -> NDArray[np.bool_]:
    """Return which of n commands (n, ncommand) the envelope changed, (n,) of bool."""
    return np.asarray(~(np.abs(sent - wanted) <= _ROUNDING).all(axis=-1))


def _approach(envelope: Envelope, distance: Array) -> Array:
    """Return the largest speed towards a limit that is `distance` away; beyond it, back."""
    away = np.abs(distance)
    # near the limit a sampled joint would overshoot to and fro: there the last of it takes steps
    speed = np.minimum(np.sqrt(2.0 * envelope.braking * away), away / (_STEPS * envelope.period))
    return np.copysign(speed, distance)


def _between(values: Array, low: Array | float, high: Array | float) -> Array:
    return np.minimum(np.maximum(values, low), high)


def _reason(envelope: Envelope, good: NDArray[np.bool_], values: Array, should: str) -> str:
    first = int(np.argmin(good))
    return f"command of {envelope.driven[first]!r} is {values[first]:.4g}: not {should}"
