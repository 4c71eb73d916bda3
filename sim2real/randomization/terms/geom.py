"""Terms of contact geometry."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.cell import Cell, CellTerm, ElementTerm
from sim2real.randomization.terms.term import added, element_id, scaled
from sim2real.sim.contacts import contact_dimension

_TYPES = mujoco.mjtGeom
_NUMBERS = {
    _TYPES.mjGEOM_SPHERE: 1, _TYPES.mjGEOM_CAPSULE: 2, _TYPES.mjGEOM_CYLINDER: 2,
    _TYPES.mjGEOM_BOX: 3, _TYPES.mjGEOM_ELLIPSOID: 3,
}  # fmt: skip
"""How many half-lengths a primitive has."""
_CONDIM = (3, 4, 6)
"""From which condim on a contact slides, turns and rolls against friction."""
_ROBOSUITE = "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"


@final
class Friction(ElementTerm):
    """A contact friction coefficient.

    A contact takes the larger of its two geoms' coefficients: randomize both sides, or list one
    under `deciding_geoms` in robot.toml; else the smaller one does nothing.
    """

    summary = "contact friction: sliding, torsional, rolling; a contact takes the larger geom's"
    unit = "1, m, m"
    bounds = (0.0, np.inf)
    field, fields = "geom_friction", ("geom_friction",)
    size = 3
    usual, source = scaled(0.7, 1.3), "OpenAI 2018, arXiv:1808.00177, table 1"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        super().resolve(model, joints)
        geom = self.cells[0].index[0]
        condim = contact_dimension(model, geom)
        if condim < _CONDIM[self.index]:
            raise self.refuse(
                f"its contacts have condim {condim}, which knows no such friction: the model needs"
                f" condim {_CONDIM[self.index]}"
            )


@final
class Size(CellTerm):
    """A half-length of a primitive; masses stay as they are."""

    summary = "half-lengths of a primitive: radius; radius, half height; or x y z. Masses stay"
    unit = "m"
    bounds = (1e-6, np.inf)
    fields = ("geom_size",)
    size = 3
    usual, source = scaled(0.95, 1.05), "OpenAI 2018, arXiv:1808.00177, table 1"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        geom = element_id(model, self.name)
        count = _NUMBERS.get(_TYPES(int(model.geom_type[geom])), 0)
        if not count:
            raise self.refuse("only a sphere, capsule, cylinder, box or ellipsoid has sizes")
        if self.index >= count:
            raise self.refuse(f"this primitive has {count} sizes")
        self.put(Cell("geom_size", (geom, self.index)))


@final
class Position(ElementTerm):
    """A coordinate of a geom in its body's frame."""

    summary = "place of the geom in its body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    field, fields = "geom_pos", ("geom_pos",)
    size = 3
    usual, source = added(-0.0015, 0.0015), _ROBOSUITE


@final
class Margin(ElementTerm):
    """Distance at which a contact begins; those of both geoms add up."""

    summary = "distance at which a contact begins; those of both geoms add up"
    unit = "m"
    bounds = (0.0, np.inf)
    field, fields = "geom_margin", ("geom_margin",)
    usual, source = added(0.0, 0.002), "2 mm, a rubber sole; no published convention"


@final
class Impedance(ElementTerm):
    """A number of the contact's impedance, which softens with depth."""

    summary = "impedance of contacts: at the surface, at depth, that depth; mean of the two geoms"
    unit = "1, 1, m"
    bounds = (1e-6, 0.9999)
    field, fields = "geom_solimp", ("geom_solimp",)
    size = 3
    usual, source = scaled(0.9, 1.0), f"{_ROBOSUITE}: ±10 %; downwards, as it ends at 1"
