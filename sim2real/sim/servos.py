"""What real drives do that an ideal actuator does not, evaluated before each physics step.

Every engine's actuators push with clip(gain u + bias · (1, length, rate)) (`Law`, MuJoCo's affine
actuator). `Servos.act` returns the law of the coming physics step: other numbers, the same form, so
that an engine keeps integrating its own actuators. Lengths and rates are those of the joint.

MuJoCo's `dcmotor` has a thermal and a friction model of its own, but it is another actuator: it
takes volts, adds activations, and exists in no other engine.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.sim.sensors import quantized
from sim2real.sim.table import Table

Array = NDArray[np.float64]

NOMINAL = {
    "failure_time": math.inf,
    "deadband": 0.0,
    "encoder_resolution": 0.0,
    "backlash": 0.0,
    "no_load_speed": math.inf,
    "voltage_sag": 0.0,
    "saturation": 0.0,
    "temperature": 0.0,
    "thermal_loss": 0.0,
    "thermal_fade": 0.0,
    "thermal_time": 60.0,
}
_WITHIN_STEP = tuple(NOMINAL.keys() - {"failure_time", "temperature", "thermal_loss"})
"""What changes throughout a control step."""


@dataclass(frozen=True)
class Law:
    """torque = clip(gain u + bias[0] + bias[1] length + bias[2] rate, low, high), (nsim, nu)."""

    gain: Array
    bias: Array
    """(nsim, nu, 3)."""
    low: Array
    high: Array

    def wanted(self, control: Array, length: Array, rate: Array) -> Array:
        """Return the torque before it is limited, (nsim, nu)."""
        bias = self.bias
        return self.gain * control + bias[..., 0] + bias[..., 1] * length + bias[..., 2] * rate

    def scaled(self, low: Array, high: Array) -> "Law":
        """Return the law with its limits multiplied by these shares."""
        return replace(self, low=self.low * low, high=self.high * high)

    def weakened(self, share: Array) -> "Law":
        """Return the law of a drive that gives this share of the torque, limits and all."""
        weak = replace(self, gain=self.gain * share, bias=self.bias * share[..., None])
        return weak.scaled(share, share)


@final
class Servos:
    """The drives of `nsim` robots with `nu` actuators each."""

    def __init__(self, nsim: int, robot: Robot):
        self._shape = (nsim, len(robot.driven))
        limits = [robot.joints[name].limits for name in robot.driven]
        self._speed = np.array([limit.velocity for limit in limits if limit])
        self.parameters = Table(*self._shape, NOMINAL)
        self.memory: dict[str, Array] = {}
        """`torque`, `heat` and `play` (nsim, nu): of the last physics step."""

    @property
    def every_physics_step(self) -> bool:
        """Whether the law changes within a control step."""
        return self.parameters.uses(*_WITHIN_STEP)

    def reset(self, rows: NDArray[Any]) -> None:
        """Start simulations `rows` cold, without load, and in the middle of their play."""
        if self.every_physics_step:
            for name in ("torque", "heat", "play"):
                self.memory.setdefault(name, np.zeros(self._shape))[rows] = 0.0

    def act(
        self,
        law: Law,
        control: Array,
        length: Array,
        rate: Array,
        *,
        time: Array,
        dt: Array | float,
    ) -> Law:
        """Return the law of the next physics step, and remember what it does to the drive.

        Args:
            law: as the model has it.
            control: what has arrived at the actuators, (nsim, nu).
            length: of the actuators, (nsim, nu) [rad, m].
            rate: its derivative, (nsim, nu).
            time: since the start [s], (nsim,).
            dt: length of the step [s], or (nsim, 1).
        """
        if not self.parameters.uses():
            return law
        capacity = np.maximum(law.high, -law.low)
        law = self._controlled(law, control, length)
        law = self._alive(law, time)
        law = self._warm(law)
        if not self.every_physics_step:
            return law
        law = self._supplied(law, rate, capacity)
        law = self._saturated(law, law.wanted(control, length, rate), capacity)
        law = self._geared(law, law.wanted(control, length, rate), rate, dt)
        torque = np.clip(law.wanted(control, length, rate), law.low, law.high)
        self._note(torque, capacity, dt)
        return law

    def _controlled(self, law: Law, control: Array, length: Array) -> Law:
        """Let the servo's own loop see its encoder's steps, and ignore small errors."""
        if not self.parameters.uses("deadband", "encoder_resolution"):
            return law
        value = self.parameters.value
        error = control - quantized(length, value("encoder_resolution"))
        shift = law.gain * (dead_zone(error, value("deadband")) - (control - length))
        bias = law.bias.copy()
        bias[..., 0] += shift
        return replace(law, bias=bias)

    def _alive(self, law: Law, time: Array) -> Law:
        """Leave nothing of what the drive does after its failure."""
        alive = np.where(time[:, None] < self.parameters.value("failure_time"), 1.0, 0.0)
        return law.weakened(alive)

    def _warm(self, law: Law) -> Law:
        """Leave of the torque what a warm winding and warm magnets give."""
        if not self.parameters.uses("thermal_loss"):
            return law
        value = self.parameters.value
        return law.weakened(1.0 / (1.0 + value("thermal_loss") * value("temperature")))

    def _supplied(self, law: Law, rate: Array, capacity: Array) -> Law:
        """Limit the torque to what heat, supply voltage and speed leave of it."""
        value = self.parameters.value
        cool = 1.0 - value("thermal_fade") * self.memory["heat"]
        total = np.maximum(capacity.sum(axis=1, keepdims=True), 1e-300)
        load = np.abs(self.memory["torque"]).sum(axis=1, keepdims=True) / total
        voltage = np.maximum(1.0 - value("voltage_sag") * load, 0.0)
        speed = rate / value("no_load_speed")
        forward, backward = torque_share(voltage, speed), torque_share(voltage, -speed)
        return law.scaled(cool * backward, cool * forward)

    def _saturated(self, law: Law, wanted: Array, capacity: Array) -> Law:
        """Leave of the torque what the iron passes on: less, the larger it is."""
        lost = self.parameters.get("saturation")
        if lost is None:
            return law
        share = unsaturated_share(np.clip(wanted, law.low, law.high), capacity, lost)
        return law.weakened(share)

    def _geared(self, law: Law, wanted: Array, rate: Array, dt: Array | float) -> Law:
        """Pass no torque while the motor crosses the play between it and the joint."""
        backlash = self.parameters.get("backlash")
        if backlash is None:
            return law
        self.memory["play"] = moved_play(
            self.memory["play"], backlash, wanted, speed=self._speed, rate=rate, dt=dt
        )
        engaged = self.memory["play"] * np.sign(wanted) >= 0.5 * backlash * (wanted != 0.0)
        return law.scaled(1.0 * engaged, 1.0 * engaged)

    def _note(self, torque: Array, capacity: Array, dt: Array | float) -> None:
        self.memory["torque"] = torque
        if self.parameters.uses("thermal_fade"):
            load = np.square(torque / np.where(capacity > 0.0, capacity, 1.0))
            constant = self.parameters.value("thermal_time")
            self.memory["heat"] = warmed(self.memory["heat"], load, constant, dt)


def dead_zone(error: Array, width: Array) -> Array:
    """Return the error beyond `width` to either side, 0 within it (Tao and Kokotović 1994)."""
    return error - np.clip(error, -width, width)


def torque_share(voltage: Array, speed: Array) -> Array:
    """Return the share of its stall torque that a DC motor can give in its direction of turning.

    The torque-speed line τ/τ_stall = V/V₀ − ω/ω₀ (Hughes and Drury, Electric Motors and Drives),
    and what the supply allows at standstill where the joint turns the other way.

    Args:
        voltage: of the supply, as a share of the nominal one.
        speed: as a share of the no-load speed at nominal voltage, positive with the torque.
    """
    return np.clip(voltage - speed, 0.0, voltage)


def unsaturated_share(torque: Array, capacity: Array, lost: Array) -> Array:
    """Return the share of an ideal motor's torque that one with iron in it gives.

    Its torque constant falls with the current: to first order 1 − s |τ| / τ_max.

    Args:
        torque: of an ideal motor.
        capacity: τ_max, its limit.
        lost: s, the share that is lost there.
    """
    return 1.0 - lost * np.abs(torque) / np.where(capacity > 0.0, capacity, np.inf)


def warmed(heat: Array, load: Array, constant: Array, dt: Array | float) -> Array:
    """Return a winding's rise in temperature after `dt` [s] at a constant load.

    C dT/dt = R I² − T/R_th: one time constant (technical note of MuJoCo's dcmotor, section 1.3),
    solved exactly. In units of the rise that full torque reaches in the end.

    Args:
        heat: the rise before.
        load: (torque / full torque)², as copper loss goes with the current's square.
        constant: thermal time constant [s].
        dt: [s].
    """
    return load + (heat - load) * np.exp(-dt / constant)


def moved_play(
    play: Array, backlash: Array, torque: Array, *, speed: Array, rate: Array, dt: Array | float
) -> Array:
    """Return where in its play a motor is after `dt` [s]: from -backlash/2 to backlash/2.

    Dead-zone backlash (Nordin and Gutman 2002) of a motor without inertia: within the play it runs
    at its no-load speed towards where its torque points, and at either end it pushes.

    Args:
        play: angle of the motor ahead of the joint.
        backlash: whole width of the play.
        torque: of the motor; only its sign counts.
        speed: of the motor without load.
        rate: of the joint.
        dt: [s].
    """
    half = 0.5 * backlash
    return np.clip(play + (np.sign(torque) * speed - rate) * dt, -half, half)
