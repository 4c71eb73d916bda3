"""Terms of actuators, which are named like the joints that they drive."""

from typing import final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.randomization.terms.effect import EffectTerm
from sim2real.randomization.terms.term import Array, Term, element_id
from sim2real.sim import commands
from sim2real.sim.effects import Effects
from sim2real.sim.simulator import Ids, Simulator
from sim2real.sim.table import Table


@final
class Gain(Term):
    """How much of the commanded torque arrives (torque mode)."""

    summary = "share of the commanded torque that arrives (torque mode)"
    unit = "1"
    bounds = (0.0, np.inf)
    fields = ("actuator_gainprm",)

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._actuator = element_id(model, self.name)
        if _is_servo(model, self._actuator):
            raise ParameterError(f"'{self.name}': a position servo has kp and kd, not gain")
        self.nominal = float(model.actuator_gainprm[self._actuator, 0])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("actuator_gainprm")[ids, self._actuator, 0] = values


@final
class Kp(Term):
    """Stiffness of a position servo."""

    summary = "stiffness of a position servo"
    unit = "Nm/rad"
    bounds = (0.0, np.inf)
    fields = ("actuator_gainprm", "actuator_biasprm")

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._actuator = _servo(model, self)
        self.nominal = float(model.actuator_gainprm[self._actuator, 0])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        # force = kp (command - position) - kd velocity: both parts hold kp
        sim.fields.expand("actuator_gainprm")[ids, self._actuator, 0] = values
        sim.fields.expand("actuator_biasprm")[ids, self._actuator, 1] = -values


@final
class Kd(Term):
    """Damping of a position servo."""

    summary = "damping of a position servo"
    unit = "Nm s/rad"
    bounds = (0.0, np.inf)
    fields = ("actuator_biasprm",)

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._actuator = _servo(model, self)
        self.nominal = -float(model.actuator_biasprm[self._actuator, 2])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("actuator_biasprm")[ids, self._actuator, 2] = -values


@final
class TorqueLimit(Term):
    """Largest torque, in both directions."""

    summary = "largest torque, in both directions"
    unit = "Nm"
    bounds = (0.0, np.inf)
    fields = ("actuator_forcerange",)

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._actuator = element_id(model, self.name)
        self.nominal = float(model.actuator_forcerange[self._actuator, 1])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        limits = np.stack([-values, values], axis=1)
        sim.fields.expand("actuator_forcerange")[ids, self._actuator] = limits


@final
class Delay(Term):
    """Time from a command to its effect; any positive delay is at least one physics step."""

    summary = "time from a command to its effect"
    unit = "s"
    bounds = (0.0, np.inf)
    fields = ("actuator_delay",)

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
    defaults = commands.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:  # noqa: D102
        actuator = element_id(model, self.name)
        self.longest = _longest_delay(model, actuator)
        return actuator

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.commands.parameters

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        _refuse_longer(self, values, self.longest)
        self.table(sim.effects).expand(self.parameter)[ids, self._column] = values


def _longest_delay(model: mujoco.MjModel, actuator: int) -> float:
    return int(model.actuator_history[actuator, 0]) * float(model.opt.timestep)


def _refuse_longer(term: Term, values: Array, longest: float) -> None:
    # a longer delay would read before the buffer, without an error
    if values.max(initial=0.0) > longest * (1 + 1e-9):
        raise ParameterError(
            f"'{term.name}': {values.max():g} s is longer than the {longest:g} s"
            " that the model was compiled for (compile_model's max_delay)"
        )


def _is_servo(model: mujoco.MjModel, actuator: int) -> bool:
    return int(model.actuator_biastype[actuator]) == mujoco.mjtBias.mjBIAS_AFFINE.value


def _servo(model: mujoco.MjModel, term: Term) -> int:
    actuator = element_id(model, term.name)
    if not _is_servo(model, actuator):
        raise ParameterError(f"'{term.name}': only a joint in position mode has kp and kd")
    return actuator
