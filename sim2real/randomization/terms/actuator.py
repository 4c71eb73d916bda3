"""Terms of actuators, which are named like the joints that they drive.

A servo's law is force = kp (command - position) - kd velocity. `kp` leaves `kd` as it is, so the
damping ratio falls with 1/√kp; `frequency_scale` changes both so that the ratio stays. MuJoCo's
own `dampratio` is resolved when a model is compiled, and is not used here.
"""

from collections.abc import Sequence
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.randomization.terms.cell import Cell, CellTerm
from sim2real.randomization.terms.effect import EffectTerm
from sim2real.randomization.terms.term import (
    Array,
    SharedTerm,
    Term,
    Writer,
    between,
    element_id,
    scaled,
    scaled_log,
)
from sim2real.sim import commands
from sim2real.sim.effects import Effects
from sim2real.sim.simulator import Ids, Simulator
from sim2real.sim.table import Table

_WTW = "walk-these-ways, legged_robot_config.py"
_GAIN, _KP, _KD, _STRENGTH, _FREQUENCY = range(5)


@final
class LawWriter(Writer):
    """Writes the gains of actuators, which several terms act on."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        laws = [term for term in terms if isinstance(term, LawTerm)]
        self._actuators = np.unique([term.actuator for term in laws])
        self._rows = np.searchsorted(self._actuators, [term.actuator for term in laws])
        self._slots = np.array([term.slot for term in laws])
        self._neutral = np.ones((len(self._actuators), 5))
        self._motors, self._servos, self._drives = [], [], []
        for row, actuator in enumerate(self._actuators):
            self._neutral[row, :3] = _gains(model, int(actuator))
            group = self._drives if is_dcmotor(model, int(actuator)) else self._servos
            (group if is_servo(model, int(actuator)) else self._motors).append(row)

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None], len(ids), axis=0)
        numbers[:, self._rows, self._slots] = values
        gain, kp, kd, strength, frequency = numbers.transpose(2, 0, 1)
        kp, kd = strength * frequency**2 * kp, strength * frequency * kd
        self._put(sim, ids, "actuator_gainprm", self._motors, 0, strength * gain)
        self._put(sim, ids, "actuator_gainprm", self._servos, 0, kp)
        self._put(sim, ids, "actuator_biasprm", self._servos, 1, -kp)
        self._put(sim, ids, "actuator_biasprm", self._servos, 2, -kd)
        self._put(sim, ids, "actuator_gainprm", self._drives, 4, kp)
        self._put(sim, ids, "actuator_gainprm", self._drives, 6, kd)

    def _put(
        self, sim: Simulator, ids: Ids, field: str, rows: list[int], index: int, values: Array
    ) -> None:
        if rows:
            at = (ids[:, None], self._actuators[rows], index)
            sim.fields.expand(field)[at] = values[:, rows]


class LawTerm(SharedTerm):
    """A number of an actuator's law."""

    bounds = (0.0, np.inf)
    fields = ("actuator_gainprm", "actuator_biasprm")
    writer = LawWriter
    slot: ClassVar[int]
    neutral: ClassVar[float | None] = 1.0
    """The nominal value; None: the actuator's own."""
    of_servo: ClassVar[bool | None] = None
    """Whether only a servo has it, or only a motor."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.actuator = element_id(model, self.name)
        servo = is_servo(model, self.actuator)
        if self.of_servo is False and servo:
            raise self.refuse("a position servo has kp and kd, not gain")
        if self.of_servo is True and not servo:
            raise self.refuse("only a joint in position mode has it")
        if not servo and is_dcmotor(model, self.actuator):
            raise self.refuse("a DC motor's torque follows from its resistance and its constants")
        own = _gains(model, self.actuator)
        self.nominal = own[self.slot] if self.neutral is None else self.neutral


@final
class Gain(LawTerm):
    """How much of the commanded torque arrives (torque mode)."""

    summary = "share of the commanded torque that arrives (torque mode)"
    unit = "1"
    slot, neutral, of_servo = _GAIN, None, False
    usual, source = scaled(0.9, 1.1), f"{_WTW}: motor strength"


@final
class Kp(LawTerm):
    """Stiffness of a position servo; the damping stays, so the damping ratio changes."""

    summary = "stiffness of a position servo; kd stays, the damping ratio falls with 1/√kp"
    unit = "Nm/rad"
    slot, neutral, of_servo = _KP, None, True
    usual, source = scaled(0.8, 1.3), f"{_WTW}: Kp_factor"


@final
class Kd(LawTerm):
    """Damping of a position servo."""

    summary = "damping of a position servo"
    unit = "Nm s/rad"
    slot, neutral, of_servo = _KD, None, True
    usual, source = scaled(0.5, 1.5), f"{_WTW}: Kd_factor"


@final
class Strength(LawTerm):
    """Factor of all that the actuator does, before the torque limit: a weak motor."""

    summary = "factor of the actuator's torque, before its limit; 0 is a broken motor"
    unit = "1"
    slot = _STRENGTH
    usual, source = scaled(0.9, 1.1), f"{_WTW}: motor_strength"


@final
class FrequencyScale(LawTerm):
    """Factor of a servo's natural frequency at the same damping ratio: kp × f², kd × f."""

    summary = "factor of a servo's natural frequency; kp × f², kd × f: the damping ratio stays"
    unit = "1"
    slot, of_servo = _FREQUENCY, True
    usual = scaled_log(0.87, 1.22)
    source = "OpenAI 2018, arXiv:1808.00177, table 1: gains [0.75, 1.5], its square root"


@final
class TorqueLimit(CellTerm):
    """Largest torque, in both directions."""

    summary = "largest torque, in both directions"
    unit = "Nm"
    bounds = (0.0, np.inf)
    fields = ("actuator_forcerange",)
    usual, source = scaled(0.8, 1.0), "a drive that is at most what its data sheet says"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        actuator = element_id(model, self.name)
        field = "actuator_forcerange"
        self.put(Cell(field, (actuator, 1)), Cell(field, (actuator, 0), -1.0))


@final
class Gear(CellTerm):
    """Torque at the joint for a torque of the actuator; a servo also measures gear × position."""

    summary = "transmission: joint torque for an actuator's torque; its limit scales with it"
    unit = "1"
    bounds = (-np.inf, np.inf)
    fields = ("actuator_gear",)
    usual, source = scaled(0.95, 1.05), "losses of a gearbox; no published convention"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.put(Cell("actuator_gear", (element_id(model, self.name), 0)))


@final
class Delay(Term):
    """Time from a command to its effect; any positive delay is at least one physics step."""

    summary = "time from a command to its effect"
    unit = "s"
    bounds = (0.0, np.inf)
    fields = ("actuator_delay",)
    usual, source = (
        between(0.0, 0.03),
        "walk-these-ways: a lag of 6 steps of 5 ms",
    )

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._actuator = element_id(model, self.name)
        self.nominal = float(model.actuator_delay[self._actuator])
        self.longest = _longest_delay(model, self._actuator)

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        _refuse_longer(self, values, self.longest)
        sim.fields.expand("actuator_delay")[ids, self._actuator] = values


@final
class DelayJitter(EffectTerm):
    """How much longer than `delay` a command can take, all times up to that alike."""

    summary = "how much longer than its delay a command can take, all up to that alike"
    unit = "s"
    bounds = (0.0, np.inf)
    parameter = "delay_jitter"
    usual, source = between(0.0, 0.01), "a bus polled at 100 Hz; no published convention"
    defaults = commands.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:  # noqa: D102
        actuator = element_id(model, self.name)
        self.longest = _longest_delay(model, actuator)
        return actuator

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.commands.parameters

    def check(self, values: Array) -> None:  # noqa: D102
        _refuse_longer(self, values, self.longest)


def _longest_delay(model: mujoco.MjModel, actuator: int) -> float:
    return int(model.actuator_history[actuator, 0]) * float(model.opt.timestep)


def _refuse_longer(term: Term, values: Array, longest: float) -> None:
    # a longer delay would read before the buffer, without an error
    if values.max(initial=0.0) > longest * (1 + 1e-9):
        raise ParameterError(
            f"'{term.name}': {values.max():g} s is longer than the {longest:g} s"
            " that the model was compiled for (compile_model's max_delay)"
        )


def is_servo(model: mujoco.MjModel, actuator: int) -> bool:
    """Return whether an actuator is commanded in positions."""
    if is_dcmotor(model, actuator):
        return int(model.actuator_ctrlspec[actuator]) == mujoco.mjtCtrlInput.mjINPUT_POS.value
    return int(model.actuator_biastype[actuator]) == mujoco.mjtBias.mjBIAS_AFFINE.value


def is_dcmotor(model: mujoco.MjModel, actuator: int) -> bool:
    """Return whether an actuator is MuJoCo's model of a DC motor."""
    return int(model.actuator_gaintype[actuator]) == mujoco.mjtGain.mjGAIN_DCMOTOR.value


def _gains(model: mujoco.MjModel, actuator: int) -> tuple[float, float, float]:
    """Return gain, kp and kd of an actuator; those that it has not are 0."""
    gain, bias = model.actuator_gainprm[actuator], model.actuator_biasprm[actuator]
    if is_dcmotor(model, actuator):
        return 0.0, float(gain[4]), float(gain[6])
    if is_servo(model, actuator):
        return 0.0, float(gain[0]), -float(bias[2])
    return float(gain[0]), 0.0, 0.0
