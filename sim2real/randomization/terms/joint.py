"""Terms of joints (hinges and slides)."""

from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.randomization.terms.cell import Cell, CellTerm
from sim2real.randomization.terms.term import added, element_id, scaled, scaled_log

_DACTYL = "OpenAI 2018, arXiv:1808.00177, table 1"


class _JointTerm(CellTerm):
    """A number of a hinge or a slide, in one field."""

    bounds = (0.0, np.inf)
    field: ClassVar[str]

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:
        joint = self._joint = element_id(model, self.name)
        kinds = (mujoco.mjtJoint.mjJNT_HINGE.value, mujoco.mjtJoint.mjJNT_SLIDE.value)
        if int(model.jnt_type[joint]) not in kinds:
            raise self.refuse("only a hinge or a slide has one number of it")
        row = {"jnt": joint, "dof": model.jnt_dofadr[joint], "qpo": model.jnt_qposadr[joint]}
        at = int(row[self.field[:3]])
        self.put(Cell(self.field, (at, self.index) if self.size > 1 else (at,)))


@final
class Damping(_JointTerm):
    """Viscous friction."""

    summary, unit = "viscous friction", "Nm s/rad"
    field, fields = "dof_damping", ("dof_damping",)
    usual, source = scaled_log(0.3, 3.0), _DACTYL


@final
class FrictionLoss(_JointTerm):
    """Coulomb (dry) friction."""

    summary, unit = "Coulomb friction", "Nm"
    field, fields = "dof_frictionloss", ("dof_frictionloss",)
    usual, source = scaled(0.9, 1.1), "MuJoCo Playground, go1/randomize.py"


@final
class Armature(_JointTerm):
    """Rotor inertia as seen at the joint."""

    summary, unit = "rotor inertia at the joint (gear ratio squared times the rotor's)", "kg m²"
    field, fields = "dof_armature", ("dof_armature",)
    usual, source = scaled(1.0, 1.05), "MuJoCo Playground, go1/randomize.py"


@final
class Stiffness(_JointTerm):
    """Spring towards the joint's rest position."""

    summary, unit = "spring towards the rest position", "Nm/rad"
    field, fields = "jnt_stiffness", ("jnt_stiffness",)
    usual, source = scaled(0.9, 1.1), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"


@final
class SpringRest(_JointTerm):
    """Joint position at which the spring pulls nowhere; nothing without a stiffness."""

    summary, unit = "rest position of the joint's spring", "rad"
    bounds = (-np.inf, np.inf)
    field, fields = "qpos_spring", ("qpos_spring",)
    usual, source = added(-0.05, 0.05), "as the reference position"


@final
class Reference(_JointTerm):
    """Joint position at which the body stands as the model file draws it.

    Another one is a robot whose zero is not where the model has it, in its geometry: what an
    encoder reads is moved by `position_bias` instead.
    """

    summary, unit = "joint position in the pose of the model file: an assembly offset", "rad"
    bounds = (-np.inf, np.inf)
    field, fields = "qpos0", ("qpos0",)
    usual, source = added(-0.05, 0.05), "MuJoCo Playground, go1/randomize.py: qpos0 ±0.05 rad"


@final
class Range(_JointTerm):
    """A limit of the joint's motion: [0] the lower, [1] the upper; they never cross."""

    summary, unit = "limits of motion, lower upper", "rad"
    field, fields, size = "jnt_range", ("jnt_range",), 2
    usual, source = added(-0.15, 0.15), f"{_DACTYL}: a deviation of 0.15 rad"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        super().resolve(model, joints)
        if not model.jnt_limited[self._joint]:
            raise self.refuse("the joint has no limits")
        middle = float(model.jnt_range[self._joint].mean())
        self.bounds = (middle, np.inf) if self.index else (-np.inf, middle)
