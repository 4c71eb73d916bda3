"""Terms of DC motors: MuJoCo's `dcmotor`, behind a joint whose `motor` table describes one.

In MuJoCo's arrays, found by compiling (mjs_setToDCMotor): gainprm = [R, K, temperature coefficient
and reference, kp, ki, kd, Vmax], biasprm = [cogging amplitude, poles, phase, LuGre Coulomb, static,
Stribeck], dynprm = [L/R, largest di/dt, thermal resistance, capacitance, ambient, LuGre stiffness,
damping, slew, Imax]. All at the joint: a gearbox of ratio N stands in K as N times the motor's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, final

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.randomization.terms.actuator import is_dcmotor
from sim2real.randomization.terms.cell import Cell, CellTerm
from sim2real.randomization.terms.term import Array, SharedTerm, Writer, element_id, scaled
from sim2real.sim.simulator import Ids, Simulator

_DATASHEET = "spread of small DC motors; no published convention"
_RESISTANCE, _CONSTANT, _RATIO, _INDUCTANCE = range(4)
_COULOMB, _STATIC = 2, 3


@final
class CircuitWriter(Writer):
    """Writes R, K, the electrical time constant L/R and the rotor's inertia behind the gear."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        circuit = [term for term in terms if isinstance(term, CircuitTerm)]
        self._actuators = np.unique([term.actuator for term in circuit])
        self._rows = np.searchsorted(self._actuators, [term.actuator for term in circuit])
        self._slots = np.array([term.slot for term in circuit])
        self._neutral = np.array([circuit_of(model, int(each)) for each in self._actuators])
        self._rotor = model.actuator_armature[self._actuators].copy()
        self._wound = bool((self._neutral[:, _INDUCTANCE] > 0.0).any())

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None], len(ids), axis=0)
        numbers[:, self._rows, self._slots] = values
        resistance, constant, ratio, inductance = np.moveaxis(numbers, -1, 0)
        sims, actuators = ids[:, None], self._actuators
        gain = sim.fields.expand("actuator_gainprm")
        gain[sims, actuators, 0] = resistance
        gain[sims, actuators, 1] = constant * ratio
        sim.fields.expand("actuator_armature")[sims, actuators] = self._rotor * ratio**2
        if self._wound:
            sim.fields.expand("actuator_dynprm")[sims, actuators, 0] = inductance / resistance


class CircuitTerm(SharedTerm):
    """A number of a DC motor's circuit."""

    bounds = (1e-9, np.inf)
    fields = ("actuator_gainprm", "actuator_dynprm", "actuator_armature")
    writer = CircuitWriter
    slot: ClassVar[int]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.actuator = _motor(self, model)
        self.nominal = circuit_of(model, self.actuator)[self.slot]
        if not self.nominal > 0:
            raise self.refuse("the motor was compiled without it: give it in the motor's table")


@final
class Resistance(CircuitTerm):
    """Resistance of the winding, with its cables and driver."""

    summary, unit, slot = "resistance of a DC motor's circuit", "Ω", _RESISTANCE
    usual, source = scaled(0.9, 1.1), _DATASHEET


@final
class MotorConstant(CircuitTerm):
    """Torque for a current at the joint, which is also back-EMF for a speed."""

    summary, unit, slot = "torque for a current at the joint, gear included", "Nm/A", _CONSTANT
    usual, source = scaled(0.9, 1.1), _DATASHEET


@final
class GearRatio(CircuitTerm):
    """Factor of the gear ratio: the motor constant grows with it, the rotor's inertia squared."""

    summary, unit, slot = (
        "factor of a DC motor's gear ratio; the rotor's inertia follows",
        "1",
        _RATIO,
    )
    usual, source = scaled(0.95, 1.05), "losses of a gearbox; no published convention"


@final
class Inductance(CircuitTerm):
    """Inductance of the winding: the current lags by L/R."""

    summary, unit, slot = "inductance of a DC motor's winding", "H", _INDUCTANCE
    usual, source = scaled(0.8, 1.2), _DATASHEET


class _MotorCell(CellTerm):
    """A number of a DC motor in one cell."""

    bounds = (1e-12, np.inf)
    place: ClassVar[tuple[tuple[str, int], ...]]
    """Field and index of each number."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        field, index = self.place[self.index]
        self.put(Cell(field, (_motor(self, model), index)))
        if not self.nominal > 0:
            raise self.refuse("the motor was compiled without it: give it in the motor's table")


@final
class Voltage(_MotorCell):
    """Supply voltage: what bounds torque and speed together."""

    summary, unit, bounds = "supply voltage of a DC motor", "V", (1e-9, np.inf)
    fields, place = ("actuator_gainprm",), (("actuator_gainprm", 7),)
    usual, source = scaled(0.85, 1.0), "a lithium cell from 4.2 V to 3.6 V"


@final
class Cogging(_MotorCell):
    """Amplitude of the torque between magnets and teeth."""

    summary, unit = "amplitude of a DC motor's cogging torque at the joint", "Nm"
    fields, place = ("actuator_biasprm",), (("actuator_biasprm", 0),)
    usual, source = scaled(0.5, 1.5), "no published convention"


@final
class LuGre(_MotorCell):
    """A number of the LuGre friction (Canudas de Wit et al. 1995)."""

    summary = "LuGre friction: bristle stiffness and damping, Coulomb, static, Stribeck velocity"
    unit = "Nm/rad, Nm s/rad, Nm, Nm, rad/s"
    size = 5
    fields = ("actuator_biasprm", "actuator_dynprm")
    place = (
        *(("actuator_dynprm", 5), ("actuator_dynprm", 6)),
        *(("actuator_biasprm", 3), ("actuator_biasprm", 4), ("actuator_biasprm", 5)),
    )
    usual, source = scaled(0.5, 1.5), "as Coulomb friction in robots/so101"

    @property
    def together(self) -> tuple[str, ...]:  # noqa: D102
        if self.index not in (_COULOMB, _STATIC):
            return ()
        return tuple(str(replace(self.name, index=i)) for i in (_COULOMB, _STATIC))

    def possible(self, values: Array) -> NDArray[np.bool_]:
        """The static torque of LuGre friction must not be below the Coulomb torque."""
        return values[:, 1] >= values[:, 0]


def circuit_of(model: mujoco.MjModel, actuator: int) -> tuple[float, float, float, float]:
    """Return R [Ω], K at the joint [Nm/A], 1 and L [H] of a DC motor; L is 0 without a winding."""
    resistance, constant = (float(x) for x in model.actuator_gainprm[actuator, :2])
    return resistance, constant, 1.0, resistance * float(model.actuator_dynprm[actuator, 0])


def _motor(term: SharedTerm, model: mujoco.MjModel) -> int:
    actuator = element_id(model, term.name)
    if not is_dcmotor(model, actuator):
        raise term.refuse("the joint has no motor table in robot.toml")
    return actuator
