"""Which geoms may touch, and with what friction: MuJoCo's rules, in a form that Bullet can keep.

MuJoCo takes the larger coefficient of a pair, Bullet multiplies them. So a geom is built
more than once: as a collider with its own coefficients and as one with coefficient 1. A pair of
geoms touches as the first of one and the second of the other: the product is the larger, exactly.
"""

from dataclasses import dataclass, field

import mujoco
import numpy as np
from numpy.typing import NDArray

Friction = tuple[float, float, float]
"""Sliding [1], spinning [m] and rolling [m] coefficient."""

_UNIT: Friction = (1.0, 0.0, 0.0)
_NO_CONTACT = mujoco.mjtDisableBit.mjDSBL_CONTACT.value | (
    mujoco.mjtDisableBit.mjDSBL_CONSTRAINT.value
)
_NPOINT = 400


@dataclass(frozen=True)
class Contacts:
    """What can touch what."""

    colliders: dict[tuple[int, Friction], int] = field(default_factory=dict)
    """(geom, coefficients) → index of the collider, in order."""
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """The colliders that touch."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> "Contacts":
        """Return the contacts that MuJoCo would consider for `model`."""
        contacts = cls()
        for a, b in _touching(model):
            friction = _friction(model, a, b)
            # the stronger geom owns the coefficient: colliders are then shared between pairs
            own, other = (
                (a, b) if model.geom_friction[a, 0] >= model.geom_friction[b, 0] else (b, a)
            )
            contacts.pairs.append((contacts._index(own, friction), contacts._index(other, _UNIT)))
        return contacts

    def _index(self, geom: int, friction: Friction) -> int:
        return self.colliders.setdefault((geom, friction), len(self.colliders))


def hull_points(model: mujoco.MjModel, geom: int) -> NDArray[np.float64]:
    """Return points (n, 3) in a geom's frame whose convex hull is the geom.

    Exact for a mesh; an ellipsoid, which Bullet does not have, is inscribed to within 1 %, and
    rests on a facet: tilted by up to 0.02 rad.
    """
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        return _sphere(_NPOINT) * model.geom_size[geom]
    mesh = int(model.geom_dataid[geom])
    start, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
    points = np.unique(model.mesh_vert[start : start + count].astype(float), axis=0)
    from scipy.spatial import ConvexHull

    return points[ConvexHull(points).vertices]


def _touching(model: mujoco.MjModel) -> list[tuple[int, int]]:
    if model.opt.disableflags & _NO_CONTACT:
        return []
    excluded = {(int(s) >> 16, int(s) & 0xFFFF) for s in model.exclude_signature}
    excluded |= {(b, a) for a, b in excluded}
    bodies, contype, affinity = model.geom_bodyid, model.geom_contype, model.geom_conaffinity
    return [
        (a, b)
        for a in range(model.ngeom)
        for b in range(a + 1, model.ngeom)
        if (contype[a] & affinity[b]) | (contype[b] & affinity[a])
        and (int(bodies[a]), int(bodies[b])) not in excluded
        and _bodies_touch(model, int(bodies[a]), int(bodies[b]))
    ]


def _bodies_touch(model: mujoco.MjModel, a: int, b: int) -> bool:
    weld = model.body_weldid
    a, b = int(weld[a]), int(weld[b])
    if a == b:
        return False
    filtered = not model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_FILTERPARENT.value
    if filtered and a and b:
        return a != weld[model.body_parentid[b]] and b != weld[model.body_parentid[a]]
    return True


def _friction(model: mujoco.MjModel, a: int, b: int) -> Friction:
    priority, condim = model.geom_priority, model.geom_condim
    if priority[a] != priority[b]:
        chosen = a if priority[a] > priority[b] else b
        dimensions, values = int(condim[chosen]), model.geom_friction[chosen]
    else:
        dimensions = int(max(condim[a], condim[b]))
        values = np.maximum(model.geom_friction[a], model.geom_friction[b])
    slide, spin, roll = (float(value) for value in values)
    return (
        slide if dimensions >= 3 else 0.0,
        spin if dimensions >= 4 else 0.0,
        roll if dimensions >= 6 else 0.0,
    )


def _sphere(n: int) -> NDArray[np.float64]:
    # golden-angle spiral: nearly even points on the unit sphere
    k = np.arange(n)
    z = 1.0 - (2.0 * k + 1.0) / n
    turn, radius = k * np.pi * (3.0 - np.sqrt(5.0)), np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
