"""Terms of the world as a whole: gravity, the air, the time step."""

from collections.abc import Sequence
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.randomization.terms.cell import Cell, CellTerm
from sim2real.randomization.terms.rotation import quaternion_of, rotate
from sim2real.randomization.terms.term import (
    Array,
    SharedTerm,
    Writer,
    added,
    added_normal,
    between,
    scaled,
)
from sim2real.sim.simulator import Ids, Simulator


@final
class GravityWriter(Writer):
    """Writes gravity, tilted."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        self._neutral = np.concatenate([model.opt.gravity, np.zeros(3)])
        self._tilts = any(isinstance(term, Tilt) for term in terms)
        self._slots = [term.index + 3 * isinstance(term, Tilt) for term in terms]

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None], len(ids), axis=0)
        numbers[:, self._slots] = values
        gravity = numbers[:, :3]
        if self._tilts:
            gravity = rotate(quaternion_of(numbers[:, 3:]), gravity)
        sim.fields.expand("opt.gravity")[ids] = gravity


@final
class Gravity(SharedTerm):
    """A coordinate of gravity in the world's frame."""

    summary = "gravity, x y z"
    unit = "m/s²"
    bounds = (-np.inf, np.inf)
    fields = ("opt.gravity",)
    size = 3
    writer = GravityWriter
    usual, source = added_normal(0.4), "OpenAI 2018, arXiv:1808.00177, table 1"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.nominal = float(model.opt.gravity[self.index])


@final
class Tilt(SharedTerm):
    """A coordinate of the rotation of gravity: a floor, or a base, that is not level."""

    summary = "rotation of gravity about the world's axes, x y z: a floor that is not level"
    unit = "rad"
    bounds = (-np.pi, np.pi)
    fields = ("opt.gravity",)
    size = 3
    writer = GravityWriter
    usual, source = added(-0.05, 0.05), "3°, a floor indoors; no published convention"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.nominal = 0.0


class _OptionTerm(CellTerm):
    """A number of MjOption."""

    field: ClassVar[str]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        self.put(Cell(self.field, (self.index,) if self.size > 1 else ()))


@final
class Timestep(_OptionTerm):
    """Length of a physics step: a control step keeps their number, so it changes as well."""

    summary = "length of a physics step; a control step is as many as before: clock jitter"
    unit = "s"
    bounds = (1e-6, 0.1)
    field, fields = "opt.timestep", ("opt.timestep",)
    usual, source = scaled(0.95, 1.05), "a clock 5 % off; robogym jitters it in every step"


@final
class Wind(_OptionTerm):
    """A coordinate of the velocity of the air, which acts where density or viscosity are."""

    summary = "velocity of the air, x y z; acts through density and viscosity"
    unit = "m/s"
    bounds = (-np.inf, np.inf)
    field, fields, size = "opt.wind", ("opt.wind",), 3
    usual, source = between(-3.0, 3.0), "Beaufort 2, a light breeze"


@final
class Density(_OptionTerm):
    """Density of the air: drag grows with the speed squared."""

    summary = "density of the air: drag by speed squared"
    unit = "kg/m³"
    bounds = (0.0, np.inf)
    field, fields = "opt.density", ("opt.density",)
    usual, source = scaled(0.9, 1.1), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"


@final
class Viscosity(_OptionTerm):
    """Viscosity of the air: drag grows with the speed."""

    summary = "viscosity of the air: drag by speed"
    unit = "Pa s"
    bounds = (0.0, np.inf)
    field, fields = "opt.viscosity", ("opt.viscosity",)
    usual, source = scaled(0.9, 1.1), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"
