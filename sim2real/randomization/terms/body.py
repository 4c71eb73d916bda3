"""Terms of a body's mass distribution."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.inertial import InertialTerm, Slot
from sim2real.randomization.terms.link import Link
from sim2real.randomization.terms.term import added, between, scaled


@final
class Mass(InertialTerm):
    """Mass at the same distribution: the inertia tensor scales with it."""

    summary = "mass; the inertia scales with it"
    unit = "kg"
    bounds = (1e-9, np.inf)
    fields = ("body_mass", "body_inertia")
    slot = Slot.MASS
    usual, source = scaled(0.9, 1.1), "MuJoCo Playground, go1/randomize.py: links ×[0.9, 1.1]"

    def measure(self, model: mujoco.MjModel) -> None:  # noqa: D102
        self.nominal = float(model.body_mass[self.body])


@final
class InertiaScale(InertialTerm):
    """Factor of the inertia tensor at the same mass: how far out the mass lies."""

    summary = "factor of the inertia at the same mass"
    unit = "1"
    bounds = (1e-6, np.inf)
    fields = ("body_mass", "body_inertia")
    slot, neutral = Slot.SCALE, 1.0
    usual, source = scaled(0.98, 1.02), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS: inertia ±2 %"


@final
class CentreOfMass(InertialTerm):
    """A coordinate of the centre of mass in the body's frame."""

    summary = "centre of mass in the body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    fields = ("body_ipos",)
    size = 3
    slot = Slot.CENTRE
    usual, source = added(-0.05, 0.05), "MuJoCo Playground, go1/randomize.py: torso ±0.05 m"

    def measure(self, model: mujoco.MjModel) -> None:  # noqa: D102
        self.nominal = float(model.body_ipos[self.body, self.index])


@final
class PseudoInertia(InertialTerm):
    """One of ten numbers that deform the mass distribution; every combination is physical.

    In the order of Rucker and Wensing 2022: α (the mass grows by e^2α), stretches d1 d2 d3 along
    the body's x y z (e^d), shears s12 s23 s13, and shifts t1 t2 t3 of the centre of mass.
    """

    summary = (
        "log-Cholesky deformation of the mass distribution: α, d1 d2 d3, s12 s23 s13, t1 t2 t3"
    )
    unit = "1, 1, 1, 1, 1, 1, 1, m, m, m"
    bounds = (-3.0, 3.0)
    size = 10
    slot = Slot.DEFORMATION
    usual = added(-0.05, 0.05)
    source = "Rucker and Wensing 2022 for the form; ±0.05 is mass ±10 %, as Playground draws it"


@final
class Payload(InertialTerm):
    """A point mass fixed to the body at `payload_pos`."""

    summary = "point mass carried at payload_pos; centre of mass and inertia follow"
    unit = "kg"
    bounds = (0.0, np.inf)
    slot = Slot.PAYLOAD
    usual, source = between(0.0, 3.0), "walk-these-ways, scripts/train.py: up to 3 kg on a Go1"


@final
class PayloadPosition(InertialTerm):
    """A coordinate of where the payload sits, in the body's frame."""

    summary = "where the payload sits in the body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    size = 3
    slot = Slot.PLACE
    usual, source = between(-0.15, 0.15), "walk-these-ways, legged_robot_config.py: CoM ±0.15 m"


class LengthTerm(InertialTerm):
    """The length of a link, from its joint to its children's."""

    unit = "m"
    bounds = (1e-4, np.inf)
    fields = (*InertialTerm.fields, "body_pos", "geom_pos", "geom_size", "site_pos")
    neutral = 1.0
    usual, source = scaled(0.95, 1.05), "OpenAI 2018, arXiv:1808.00177, table 1: dimensions ±5 %"

    def measure(self, model: mujoco.MjModel) -> None:  # noqa: D102
        try:
            self.link = Link(model, self.body)
        except ValueError as reason:
            raise self.refuse(str(reason)) from None
        self.nominal = self.divisor = self.link.length


@final
class Length(LengthTerm):
    """Length of a link that is as heavy a metre as before: its mass follows."""

    summary = "length of the link at the same mass a metre; children, sites and primitives follow"
    slot = Slot.HEAVIER


@final
class LengthAtMass(LengthTerm):
    """Length of a link whose mass stays."""

    summary = "length of the link at the same mass; children, sites and primitives follow"
    slot = Slot.LENGTH
