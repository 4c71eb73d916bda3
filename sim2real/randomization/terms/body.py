"""Terms of bodies."""

from typing import final

import mujoco
import numpy as np

from sim2real.errors import ParameterError
from sim2real.randomization.terms.term import Array, Term, element_id
from sim2real.sim.simulator import Ids, Simulator


@final
class Mass(Term):
    """Mass at constant density distribution: the inertia tensor scales with it."""

    summary = "mass; the inertia scales with it"
    unit = "kg"
    bounds = (1e-9, np.inf)
    fields = ("body_mass", "body_inertia")

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._body = element_id(model, self.name)
        self.nominal = float(model.body_mass[self._body])
        self._inertia_per_mass = model.body_inertia[self._body] / max(self.nominal, 1e-300)
        if self.nominal <= 0:
            raise ParameterError(f"'{self.name}': the body has no mass to change")

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("body_mass")[ids, self._body] = values
        inertia = values[:, None] * self._inertia_per_mass
        sim.fields.expand("body_inertia")[ids, self._body] = inertia


@final
class CentreOfMass(Term):
    """A coordinate of the centre of mass in the body's frame."""

    summary = "centre of mass in the body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    fields = ("body_ipos",)
    size = 3

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self._body = element_id(model, self.name)
        self.nominal = float(model.body_ipos[self._body, self.index])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        sim.fields.expand("body_ipos")[ids, self._body, self.index] = values
