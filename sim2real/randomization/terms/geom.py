"""Terms of contact geometry."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array, Term, element_id
from sim2real.sim.simulator import Ids, Simulator


@final
class Friction(Term):
    """A contact friction coefficient.

    A contact takes the larger of its two geoms' coefficients: randomize both sides, or the
    smaller one does nothing.
    """

    summary = "contact friction: sliding, torsional, rolling; a contact takes the larger geom's"
    unit = "1, m, m"
    bounds = (0.0, np.inf)
    fields = ("geom_friction",)
    size = 3

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._geom = element_id(model, self.name)
        self.nominal = float(model.geom_friction[self._geom, self.index])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("geom_friction")[ids, self._geom, self.index] = values
