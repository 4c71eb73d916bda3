"""Terms of the world as a whole."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array, Term
from sim2real.sim.simulator import Ids, Simulator


@final
class Gravity(Term):
    """A coordinate of gravity in the world's frame."""

    summary = "gravity, x y z"
    unit = "m/s²"
    bounds = (-np.inf, np.inf)
    fields = ("opt.gravity",)
    size = 3

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.nominal = float(model.opt.gravity[self.index])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("opt.gravity")[ids, self.index] = values
