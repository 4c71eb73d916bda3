"""Terms of joints (hinges and slides)."""

from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array, Term, element_id
from sim2real.sim.simulator import Ids, Simulator


class _DofTerm(Term):
    """A number of the joint's degree of freedom, in one field."""

    bounds = (0.0, np.inf)
    field: ClassVar[str]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        joint = element_id(model, self.name)
        self._row = joint if self.field.startswith("jnt_") else int(model.jnt_dofadr[joint])
        self.nominal = float(getattr(model, self.field)[self._row])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:
        sim.fields.expand(self.field)[ids, self._row] = values


@final
class Damping(_DofTerm):
    """Viscous friction."""

    summary, unit = "viscous friction", "Nm s/rad"
    field, fields = "dof_damping", ("dof_damping",)


@final
class FrictionLoss(_DofTerm):
    """Coulomb (dry) friction."""

    summary, unit = "Coulomb friction", "Nm"
    field, fields = "dof_frictionloss", ("dof_frictionloss",)


@final
class Armature(_DofTerm):
    """Rotor inertia as seen at the joint."""

    summary, unit = "rotor inertia at the joint (gear ratio squared times the rotor's)", "kg m²"
    field, fields = "dof_armature", ("dof_armature",)


@final
class Stiffness(_DofTerm):
    """Spring towards the joint's rest position."""

    summary, unit = "spring towards the rest position", "Nm/rad"
    field, fields = "jnt_stiffness", ("jnt_stiffness",)
