"""Terms of a body's mass distribution; they act on each other, so one writer writes them all.

In this order: mass, centre of mass and inertia scale; the link's length; the log-Cholesky
deformation; the payload.
"""

from collections.abc import Sequence
from typing import ClassVar, final

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sim2real.randomization.terms import inertia
from sim2real.randomization.terms.link import Link
from sim2real.randomization.terms.term import (
    Array,
    SharedTerm,
    Writer,
    added,
    between,
    element_id,
    scaled,
)
from sim2real.sim.simulator import Ids, Simulator

_MASS, _SCALE, _CENTRE = 0, 1, 2
_PLAIN = 5
"""How many of a body's numbers are the mass, the inertia's scale and the centre of mass."""
_LENGTH, _HEAVIER, _DEFORMATION, _PAYLOAD, _PLACE = 5, 6, 7, 17, 18
_COUNT = 21


@final
class InertialWriter(Writer):
    """Writes mass, centre of mass, principal moments and principal axes of several bodies."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        inertial = [term for term in terms if isinstance(term, InertialTerm)]
        self._bodies = np.unique([term.body for term in inertial])
        self._rows = np.searchsorted(self._bodies, [term.body for term in inertial])
        self._slots = np.array([term.slot + term.index for term in inertial])
        self._width = _PLAIN if self._slots.max() < _PLAIN else _COUNT
        self._neutral = np.zeros((len(self._bodies), _COUNT))
        self._neutral[:, [_SCALE, _LENGTH, _HEAVIER]] = 1.0
        self._neutral[:, _MASS] = model.body_mass[self._bodies]
        self._neutral[:, _CENTRE : _CENTRE + 3] = model.body_ipos[self._bodies]
        self._inertia = model.body_inertia[self._bodies]
        quaternion = model.body_iquat[self._bodies]
        self._axes = Rotation.from_quat(np.roll(quaternion, -1, axis=-1)).as_matrix()
        self._quaternion = quaternion.copy()
        self._moves = any(slot >= _CENTRE for slot in self._slots)
        self._weighs = any(not _CENTRE <= slot < _PLAIN for slot in self._slots)
        self._divisor = np.array([term.divisor for term in inertial])
        links = {term.body: term.link for term in inertial if isinstance(term, LengthTerm)}
        self._links = [(row, links[body]) for row, body in enumerate(self._bodies) if body in links]
        self._spans = np.zeros((len(self._bodies), 2, 3))
        for row, link in self._links:
            self._spans[row] = link.origin, link.axis

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None, :, : self._width], len(ids), axis=0)
        numbers[:, self._rows, self._slots] = values / self._divisor
        at = (ids[:, None], self._bodies)
        mass, centre = numbers[..., _MASS], numbers[..., _CENTRE : _CENTRE + 3]
        if self._weighs:
            ratio = mass / self._neutral[:, _MASS] * numbers[..., _SCALE]
            sim.fields.expand("body_mass")[at] = mass
            sim.fields.expand("body_inertia")[at] = ratio[..., None] * self._inertia
        if self._moves:
            sim.fields.expand("body_ipos")[at] = centre
        if self._width == _COUNT:
            sim.fields.expand("body_iquat")[at] = self._quaternion
            self._deform(sim, ids, numbers)
        for row, link in self._links:
            link.write(sim, ids, numbers[:, row, _LENGTH] * numbers[:, row, _HEAVIER])

    def _deform(self, sim: Simulator, ids: Ids, numbers: Array) -> None:
        """Rewrite the bodies whose shape is not the nominal one: these need an eigenproblem each.

        The others stay as they are, to the last bit.
        """
        changed = (numbers[..., _PLAIN:] != self._neutral[:, _PLAIN:]).any(axis=-1)
        row, body = np.nonzero(changed)
        if not len(row):
            return
        number = numbers[row, body]
        ratio = number[:, _MASS] / self._neutral[body, _MASS] * number[:, _SCALE]
        principal = ratio[:, None] * self._inertia[body]
        moments = inertia.Moments(
            number[:, _MASS],
            number[:, _CENTRE : _CENTRE + 3],
            inertia.second_moments(principal, self._axes[body]),
        )
        moments = self._stretch(moments, number, body)
        deformation = inertia.log_cholesky(number[:, _DEFORMATION : _DEFORMATION + 10])
        moments = inertia.deformed(moments, *deformation)
        moments = inertia.with_payload(moments, number[:, _PAYLOAD], number[:, _PLACE:])
        principal, axes = inertia.principal_axes(moments.second)
        at = (ids[row], self._bodies[body])
        sim.fields.expand("body_mass")[at] = moments.mass
        sim.fields.expand("body_ipos")[at] = moments.centre
        sim.fields.expand("body_inertia")[at] = principal
        quaternion = np.roll(Rotation.from_matrix(axes).as_quat(), 1, axis=-1)
        sim.fields.expand("body_iquat")[at] = quaternion

    def _stretch(
        self, body: inertia.Moments, number: Array, row: NDArray[np.intp]
    ) -> inertia.Moments:
        origin, axis = self._spans[row, 0], self._spans[row, 1]
        more = (number[:, _LENGTH] * number[:, _HEAVIER] - 1.0)[:, None]
        affine = np.eye(3) + more[..., None] * axis[:, :, None] * axis[:, None, :]
        along = ((body.centre - origin) * axis).sum(axis=-1, keepdims=True)
        return inertia.deformed(body, affine, more * along * axis, number[:, _HEAVIER])


class InertialTerm(SharedTerm):
    """A number of a body's mass distribution."""

    writer = InertialWriter
    fields = ("body_mass", "body_inertia", "body_ipos", "body_iquat")
    slot: ClassVar[int]
    """Where it stands among a body's numbers in the writer."""
    neutral: ClassVar[float] = 0.0
    divisor: float = 1.0
    """What the value is divided by in the writer."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.body = element_id(model, self.name)
        self.nominal = self.neutral
        if model.body_mass[self.body] <= 0:
            raise self.refuse("the body has no mass to change")
        if model.body_weldid[self.body] == 0:
            raise self.refuse("the body is fixed to the world: its mass acts on nothing")
        self.measure(model)

    def measure(self, model: mujoco.MjModel) -> None:
        """Look up what else the term needs; by default its nominal value is the neutral one."""


@final
class Mass(InertialTerm):
    """Mass at the same distribution: the inertia tensor scales with it."""

    summary = "mass; the inertia scales with it"
    unit = "kg"
    bounds = (1e-9, np.inf)
    fields = ("body_mass", "body_inertia")
    slot = _MASS
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
    slot, neutral = _SCALE, 1.0
    usual, source = scaled(0.98, 1.02), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS: inertia ±2 %"


@final
class CentreOfMass(InertialTerm):
    """A coordinate of the centre of mass in the body's frame."""

    summary = "centre of mass in the body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    fields = ("body_ipos",)
    size = 3
    slot = _CENTRE
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
    slot = _DEFORMATION
    usual = added(-0.05, 0.05)
    source = "Rucker and Wensing 2022 for the form; ±0.05 is mass ±10 %, as Playground draws it"


@final
class Payload(InertialTerm):
    """A point mass fixed to the body at `payload_pos`."""

    summary = "point mass carried at payload_pos; centre of mass and inertia follow"
    unit = "kg"
    bounds = (0.0, np.inf)
    slot = _PAYLOAD
    usual, source = between(0.0, 3.0), "walk-these-ways, scripts/train.py: up to 3 kg on a Go1"


@final
class PayloadPosition(InertialTerm):
    """A coordinate of where the payload sits, in the body's frame."""

    summary = "where the payload sits in the body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    size = 3
    slot = _PLACE
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

    def touches(self) -> set[tuple[str, int]]:  # noqa: D102
        return self.link.touches()


@final
class Length(LengthTerm):
    """Length of a link that is as heavy a metre as before: its mass follows."""

    summary = "length of the link at the same mass a metre; children, sites and primitives follow"
    slot = _HEAVIER


@final
class LengthAtMass(LengthTerm):
    """Length of a link whose mass stays."""

    summary = "length of the link at the same mass; children, sites and primitives follow"
    slot = _LENGTH
