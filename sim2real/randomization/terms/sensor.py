"""Terms of the sensors: how what a signal reports differs from the truth, nominally not at all."""

from dataclasses import dataclass
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.randomization.terms.effect import EffectTerm, joint_index
from sim2real.randomization.terms.term import Term, element_id
from sim2real.sim.effects import Effects
from sim2real.sim.sensors import NOMINAL
from sim2real.sim.simulator import Simulator
from sim2real.sim.table import Table

_ANY, _POSITIVE, _SHARE = (-np.inf, np.inf), (0.0, np.inf), (0.0, 1.0)
_LONGEST = 10.0  # s: how far back a sensor's past is kept at most


@dataclass(frozen=True)
class _Flaw:
    """What can be wrong with any signal; `of` and `unit` stand for the signal's own."""

    summary: str
    unit: str
    bounds: tuple[float, float]


_FLAWS = {
    "bias": _Flaw("offset of the measured {of}, constant over an episode", "{unit}", _ANY),
    "noise": _Flaw("standard deviation of the measured {of}, in each sample", "{unit}", _POSITIVE),
    "drift": _Flaw("growth of the offset of the measured {of}", "{unit}/s", _ANY),
    "walk": _Flaw("deviation of the measured {of}'s random walk after 1 s", "{unit}/√s", _POSITIVE),
    "resolution": _Flaw("step in which the {of} is measured; 0: none", "{unit}", _POSITIVE),
    "dropout": _Flaw("share of {of} samples that are lost: the last one stays", "1", _SHARE),
    "freeze_time": _Flaw("when the measured {of} stops changing for good", "s", _POSITIVE),
    "delay": _Flaw("age of the measured {of}", "s", (0.0, _LONGEST)),
    "delay_jitter": _Flaw(
        "how much older a {of} sample can be, all up to that alike", "s", (0.0, _LONGEST)
    ),
}


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

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.sensors.mounting


def flaws(base: type[SensorTerm], kind: str, signal: str, unit: str) -> dict[str, type[Term]]:
    """Return the terms of one signal: `kind.signal_flaw` → its class, derived from `base`."""
    terms: dict[str, type[Term]] = {}
    for parameter, flaw in _FLAWS.items():
        summary = flaw.summary.format(of=signal.replace("_", " "))
        facts = {"__doc__": f"{summary}.", "summary": summary, "unit": flaw.unit.format(unit=unit)}
        facts |= {"bounds": flaw.bounds, "parameter": parameter, "signal": signal}
        terms[f"{kind}.{signal}_{parameter}"] = type(f"{signal}_{parameter}", (base,), facts)
    return terms
