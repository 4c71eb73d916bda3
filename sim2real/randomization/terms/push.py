"""Terms of forces from outside: shoves at random times, and wrenches that stay."""

from typing import final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.randomization.terms.effect import EffectTerm
from sim2real.randomization.terms.term import between, element_id
from sim2real.sim import pushes
from sim2real.sim.effects import Effects
from sim2real.sim.table import Table


class _PushTerm(EffectTerm):
    """A number of the pushes on a body."""

    defaults = pushes.NOMINAL

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:
        return _body(model, self)

    def table(self, effects: Effects) -> Table:
        return effects.pushes.parameters


@final
class PushForce(_PushTerm):
    """Force of a push at the centre of mass; its direction about the vertical is random."""

    summary = "force of a push at the centre of mass, from any side"
    unit, bounds, parameter = "N", (0.0, np.inf), "push_force"
    source = "legged_gym adds up to 1 m/s: mass × 1 m/s / duration; no range fits all robots"


@final
class PushDuration(_PushTerm):
    """How long a push lasts."""

    summary = "how long a push lasts"
    unit, bounds, parameter = "s", (0.0, np.inf), "push_duration"
    usual, source = between(0.05, 0.2), "a shove by hand; no published convention"


@final
class PushInterval(_PushTerm):
    """Time in which there is one push, at a random time in each."""

    summary = "time in which there is one push, at a random time in each"
    unit, bounds, parameter = "s", (1e-3, np.inf), "push_interval"
    usual, source = between(5.0, 15.0), "legged_gym: push_interval_s = 15"


@final
class PushElevation(_PushTerm):
    """Angle of a push above the horizontal."""

    summary = "angle of a push above the horizontal"
    unit, bounds, parameter = "rad", (-np.pi / 2, np.pi / 2), "push_elevation"
    usual, source = between(0.0, 0.0), "legged_gym pushes horizontally"


@final
class Wrench(EffectTerm):
    """Force and torque on a body throughout the episode, in the world's frame."""

    summary = "constant force and torque at the centre of mass, x y z each"
    unit = "N, N, N, Nm, Nm, Nm"
    bounds = (-np.inf, np.inf)
    parameter = "wrench"
    defaults = pushes.NO_WRENCH
    source = "a share of the robot's weight: no range fits all robots"
    size = 6

    def column(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> int:  # noqa: D102
        return 6 * _body(model, self) + self.index

    def table(self, effects: Effects) -> Table:  # noqa: D102
        return effects.pushes.wrenches


def _body(model: mujoco.MjModel, term: EffectTerm) -> int:
    body = element_id(model, term.name)
    if not int(model.body_weldid[body]):
        raise ParameterError(f"'{term.name}': the body does not move, so nothing can push it")
    return body
