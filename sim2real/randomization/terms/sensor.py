"""Terms of the sensors: how what a signal reports differs from the truth, nominally not at all."""

from dataclasses import dataclass
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.parameters.ranges import Range
from sim2real.randomization.terms.effect import EffectTerm, joint_index
from sim2real.randomization.terms.term import Term, between, element_id
from sim2real.sim.effects import Effects
from sim2real.sim.sensors import NOMINAL
from sim2real.sim.simulator import Simulator
from sim2real.sim.table import Table

_ANY, _POSITIVE, _SHARE = (-np.inf, np.inf), (0.0, np.inf), (0.0, 1.0)
_NO_CONVENTION = "no published convention"
_LONGEST = 10.0  # s: how far back a sensor's past is kept at most


@dataclass(frozen=True)
class _Flaw:
    """What can be wrong with any signal; `of` and `unit` stand for the signal's own."""

    summary: str
    unit: str
    bounds: tuple[float, float]
    usual: Range | None = None
    source: str = ""


_FLAWS = {
    "gain": _Flaw(
        "factor of the measured {of}, before its offset",
        *("1", _POSITIVE, between(0.98, 1.02), f"as a MEMS gyroscope's scale; {_NO_CONVENTION}"),
    ),
    "bias": _Flaw("offset of the measured {of}, constant over an episode", "{unit}", _ANY),
    "noise": _Flaw("standard deviation of the measured {of}, in each sample", "{unit}", _POSITIVE),
    "drift": _Flaw("growth of the offset of the measured {of}", "{unit}/s", _ANY),
    "walk": _Flaw("deviation of the measured {of}'s random walk after 1 s", "{unit}/√s", _POSITIVE),
    "resolution": _Flaw("step in which the {of} is measured; 0: none", "{unit}", _POSITIVE),
    "dropout": _Flaw(
        "share of {of} samples that are lost: the last one stays",
        *("1", _SHARE, between(0.0, 0.05), f"one sample in twenty; {_NO_CONVENTION}"),
    ),
    "freeze_time": _Flaw(
        "when the measured {of} stops changing for good",
        *("s", _POSITIVE, None, "robogym freezes markers for a while; no convention for good"),
    ),
    "delay": _Flaw(
        "age of the measured {of}",
        *("s", (0.0, _LONGEST), between(0.0, 0.02), f"a bus polled at 50 Hz; {_NO_CONVENTION}"),
    ),
    "delay_jitter": _Flaw(
        "how much older a {of} sample can be, all up to that alike",
        *("s", (0.0, _LONGEST), between(0.0, 0.01), f"a bus polled at 100 Hz; {_NO_CONVENTION}"),
    ),
}
_LEGGED_GYM, _WTW = "legged_gym, legged_robot_config.py", "walk-these-ways, legged_robot_config.py"
_GYRO = "a MEMS gyroscope's data sheet"
_OF_SIGNAL: dict[str, dict[str, tuple[Range, str]]] = {
    "position": {
        "bias": (between(-0.02, 0.02), f"{_WTW}: motor_offset"),
        "noise": (between(0.0, 0.006), f"{_LEGGED_GYM}: uniform ±0.01, its deviation"),
        "drift": (between(-0.001, 0.001), f"a belt that creeps; {_NO_CONVENTION}"),
        "walk": (between(0.0, 0.001), f"as drift; {_NO_CONVENTION}"),
        "resolution": (between(0.0, 0.0015), "12 bits a turn, as Dynamixel and Feetech have"),
    },
    "velocity": {
        "bias": (between(-0.02, 0.02), f"as of a gyroscope; {_NO_CONVENTION}"),
        "noise": (between(0.0, 0.9), f"{_LEGGED_GYM}: uniform ±1.5, its deviation"),
        "drift": (between(-0.001, 0.001), f"as of a position; {_NO_CONVENTION}"),
        "walk": (between(0.0, 0.001), f"as drift; {_NO_CONVENTION}"),
        "resolution": (between(0.0, 0.15), "a step of a 12-bit encoder in 10 ms"),
    },
    "orientation": {
        "bias": (between(-0.02, 0.02), f"1°, as of imu_tilt; {_NO_CONVENTION}"),
        "noise": (between(0.0, 0.03), f"{_LEGGED_GYM}: gravity ±0.05, its deviation"),
        "drift": (between(-0.002, 0.002), f"yaw without a compass; {_NO_CONVENTION}"),
        "walk": (between(0.0, 0.002), f"as drift; {_NO_CONVENTION}"),
        "resolution": (between(0.0, 0.001), f"0.06°, of a serial protocol; {_NO_CONVENTION}"),
    },
    "angular_velocity": {
        "bias": (between(-0.02, 0.02), f"{_GYRO}: a zero-rate offset of 1 °/s"),
        "noise": (between(0.0, 0.12), f"{_LEGGED_GYM}: uniform ±0.2, its deviation"),
        "drift": (between(-0.001, 0.001), f"warming up; {_NO_CONVENTION}"),
        "walk": (between(0.0, 0.001), f"as drift; {_NO_CONVENTION}"),
        "resolution": (between(0.0, 0.001), f"{_GYRO}: 16 bits over ±2000 °/s"),
    },
}
"""What is usual of one signal: by how much it is wrong depends on what it measures."""


class SensorTerm(EffectTerm):
    """A flaw of a signal; a subclass says which columns of the signal a name means."""

    defaults = NOMINAL
    signal: ClassVar[str]
    """Its name among the simulator's signals."""

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.sensors[self.signal].parameters

    def make_room(self, sim: Simulator, largest: float) -> None:  # noqa: D102
        room = sim.effects.sensors[self.signal].largest
        if self.parameter in room:
            room[self.parameter] = max(room[self.parameter], min(largest, self.bounds[1]))


class JointSensor(SensorTerm):
    """A flaw of what a joint reports."""

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:  # noqa: D102
        return joint_index(self.name, joints)


class _OfTheBase(EffectTerm):
    """A number about one axis of the IMU that a floating base carries."""

    size = 3

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        joint = int(model.body_jntadr[element_id(model, self.name)])
        if joint < 0 or model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_FREE:
            raise ParameterError(f"'{self.name}': only a floating base carries an IMU")
        return self.index


class BaseSensor(_OfTheBase, SensorTerm):
    """A flaw of what the IMU of a floating base reports, about the axis x, y or z of the base."""


@final
class ImuTilt(_OfTheBase):
    """How the IMU is turned on the base that carries it."""

    summary, unit, bounds = "roll, pitch and yaw of the IMU on its body", "rad", (-np.pi, np.pi)
    parameter, defaults = "tilt", {"tilt": 0.0}
    usual, source = between(-0.02, 0.02), f"1°, a screwed IMU; {_NO_CONVENTION}"

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.sensors.mounting


def flaws(base: type[SensorTerm], kind: str, signal: str, unit: str) -> dict[str, type[Term]]:
    """Return the terms of one signal: `kind.signal_flaw` → its class, derived from `base`."""
    terms: dict[str, type[Term]] = {}
    for parameter, flaw in _FLAWS.items():
        if parameter == "gain" and signal == "orientation":
            continue  # there is no half of a rotation's quaternion
        summary = flaw.summary.format(of=signal.replace("_", " "))
        facts = {"__doc__": f"{summary}.", "summary": summary, "unit": flaw.unit.format(unit=unit)}
        facts |= {"bounds": flaw.bounds, "parameter": parameter, "signal": signal}
        usual, source = _OF_SIGNAL[signal].get(parameter, (flaw.usual, flaw.source))
        facts |= {"usual": usual, "source": source}
        terms[f"{kind}.{signal}_{parameter}"] = type(f"{signal}_{parameter}", (base,), facts)
    return terms
