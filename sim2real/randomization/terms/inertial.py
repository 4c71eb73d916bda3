"""How a body's mass distribution is written: several terms act on it, one writer writes all.

In this order: mass, centre of mass and inertia scale; the link's length; the log-Cholesky
deformation; the payload.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar, final

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from sim2real.randomization.terms import inertia
from sim2real.randomization.terms.link import Link
from sim2real.randomization.terms.term import Array, SharedTerm, Writer, element_id
from sim2real.sim.simulator import Ids, Simulator


class Slot(IntEnum):
    """Where a term's first number stands among those of its body."""

    MASS = 0
    SCALE = 1
    CENTRE = 2
    LENGTH = 5
    HEAVIER = 6
    DEFORMATION = 7
    PAYLOAD = 17
    PLACE = 18


_PLAIN = 5
"""How many of a body's numbers are the mass, the inertia's scale and the centre of mass."""
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
        self._neutral[:, [Slot.SCALE, Slot.LENGTH, Slot.HEAVIER]] = 1.0
        self._neutral[:, Slot.MASS] = model.body_mass[self._bodies]
        self._neutral[:, Slot.CENTRE : Slot.CENTRE + 3] = model.body_ipos[self._bodies]
        self._inertia = model.body_inertia[self._bodies]
        quaternion = model.body_iquat[self._bodies]
        self._axes = Rotation.from_quat(np.roll(quaternion, -1, axis=-1)).as_matrix()
        self._quaternion = quaternion.copy()
        self._moves = any(slot >= Slot.CENTRE for slot in self._slots)
        self._weighs = any(not Slot.CENTRE <= slot < _PLAIN for slot in self._slots)
        self._divisor = np.array([term.divisor for term in inertial])
        links = {term.body: term.link for term in inertial if term.link is not None}
        self._links = [(row, links[body]) for row, body in enumerate(self._bodies) if body in links]
        self._spans = np.zeros((len(self._bodies), 2, 3))
        for row, link in self._links:
            self._spans[row] = link.origin, link.axis

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None, :, : self._width], len(ids), axis=0)
        numbers[:, self._rows, self._slots] = values / self._divisor
        at = (ids[:, None], self._bodies)
        mass, centre = numbers[..., Slot.MASS], numbers[..., Slot.CENTRE : Slot.CENTRE + 3]
        if self._weighs:
            ratio = mass / self._neutral[:, Slot.MASS] * numbers[..., Slot.SCALE]
            sim.fields.expand("body_mass")[at] = mass
            sim.fields.expand("body_inertia")[at] = ratio[..., None] * self._inertia
        if self._moves:
            sim.fields.expand("body_ipos")[at] = centre
        if self._width == _COUNT:
            sim.fields.expand("body_iquat")[at] = self._quaternion
            self._deform(sim, ids, numbers)
        for row, link in self._links:
            link.write(sim, ids, numbers[:, row, Slot.LENGTH] * numbers[:, row, Slot.HEAVIER])

    def _deform(self, sim: Simulator, ids: Ids, numbers: Array) -> None:
        """Rewrite the bodies whose shape is not the nominal one: these need an eigenproblem each.

        The others stay as they are, to the last bit.
        """
        changed = (numbers[..., _PLAIN:] != self._neutral[:, _PLAIN:]).any(axis=-1)
        row, body = np.nonzero(changed)
        if not len(row):
            return
        number = numbers[row, body]
        ratio = number[:, Slot.MASS] / self._neutral[body, Slot.MASS] * number[:, Slot.SCALE]
        principal = ratio[:, None] * self._inertia[body]
        moments = inertia.Moments(
            number[:, Slot.MASS],
            number[:, Slot.CENTRE : Slot.CENTRE + 3],
            inertia.second_moments(principal, self._axes[body]),
        )
        moments = self._stretch(moments, number, body)
        deformation = inertia.log_cholesky(number[:, Slot.DEFORMATION : Slot.DEFORMATION + 10])
        moments = inertia.deformed(moments, *deformation)
        moments = inertia.with_payload(moments, number[:, Slot.PAYLOAD], number[:, Slot.PLACE :])
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
        more = (number[:, Slot.LENGTH] * number[:, Slot.HEAVIER] - 1.0)[:, None]
        affine = np.eye(3) + more[..., None] * axis[:, :, None] * axis[:, None, :]
        along = ((body.centre - origin) * axis).sum(axis=-1, keepdims=True)
        return inertia.deformed(body, affine, more * along * axis, number[:, Slot.HEAVIER])


class InertialTerm(SharedTerm):
    """A number of a body's mass distribution."""

    writer = InertialWriter
    fields = ("body_mass", "body_inertia", "body_ipos", "body_iquat")
    slot: ClassVar[Slot]
    """Where it stands among a body's numbers in the writer."""
    neutral: ClassVar[float] = 0.0
    link: Link | None = None
    """The link whose length it is."""
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

    def touches(self) -> set[tuple[str, int]]:  # noqa: D102
        return set() if self.link is None else self.link.touches()

    def measure(self, model: mujoco.MjModel) -> None:
        """Look up what else the term needs; by default its nominal value is the neutral one."""
