"""A link: what a body spans, from its own joint to its children's, and how it is made longer."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array
from sim2real.sim.simulator import Ids, Simulator

_ALIGNED = 0.95
"""Cosine up to which a geom's axis counts as the link's: 18 degrees."""
_STRETCHED = {
    mujoco.mjtGeom.mjGEOM_CAPSULE: ((2, 1),),
    mujoco.mjtGeom.mjGEOM_CYLINDER: ((2, 1),),
    mujoco.mjtGeom.mjGEOM_BOX: ((0, 0), (1, 1), (2, 2)),
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: ((0, 0), (1, 1), (2, 2)),
    mujoco.mjtGeom.mjGEOM_SPHERE: (),
}
"""A primitive's axes, each with the index of its half-length."""


@final
class Link:
    """A body whose children all lie in one direction; raises ValueError with the reason if not.

    Longer by λ, all its points move by (λ - 1) times their distance along the link: children,
    sites and geoms; primitive geoms along the link become longer too.
    """

    def __init__(self, model: mujoco.MjModel, body: int):
        children = np.flatnonzero(model.body_parentid == body)
        self.children = children[children != body]
        self.origin = _anchor(model, body)
        ends = np.array([_end(model, int(child)) for child in self.children]).reshape(-1, 3)
        away = ends - self.origin
        reach = np.linalg.norm(away, axis=1)
        if not len(reach) or reach.max() < 1e-6:
            raise ValueError("no child body is attached away from its joint: it has no length")
        self.axis: Array = away[reach.argmax()] / reach.max()
        self.length = float(reach.max())
        if (away @ self.axis < _ALIGNED * reach).any():
            raise ValueError("its children lie in several directions: it has no one length")
        geoms = np.flatnonzero(model.geom_bodyid == body)
        collides = (model.geom_contype | model.geom_conaffinity)[geoms] != 0
        primitive = np.array([mujoco.mjtGeom(int(k)) in _STRETCHED for k in model.geom_type[geoms]])
        if (collides & ~primitive).any():
            raise ValueError("it collides with a mesh, whose shape all simulations share")
        self.geoms = geoms[primitive] if len(geoms) else geoms
        self.sizes = [cell for geom in self.geoms for cell in self._sizes(model, int(geom))]
        self.sites = np.flatnonzero(model.site_bodyid == body)
        self._moves = [
            ("body_pos", self.children, away @ self.axis),
            ("geom_pos", self.geoms, self._along(model.geom_pos[self.geoms])),
            ("site_pos", self.sites, self._along(model.site_pos[self.sites])),
        ]

    def write(self, sim: Simulator, ids: Ids, ratio: Array) -> None:
        """Make the link `ratio` (n,) times as long in simulations `ids` (n,)."""
        for field, elements, along in self._moves:
            if len(elements):
                shift = ((ratio - 1.0)[:, None] * along)[..., None] * self.axis
                nominal = getattr(sim.model, field)[elements]
                sim.fields.expand(field)[ids[:, None], elements] = nominal + shift
        for geom, index in self.sizes:
            size = ratio * sim.model.geom_size[geom, index]
            sim.fields.expand("geom_size")[ids, geom, index] = size

    def touches(self) -> set[tuple[str, int]]:
        """Return the numbers that it writes, as (field, flat index)."""
        moved = {
            (field, 3 * int(element) + i)
            for field, elements, _ in self._moves
            for element in elements
            for i in range(3)
        }
        return moved | {("geom_size", 3 * geom + index) for geom, index in self.sizes}

    def _along(self, points: Array) -> Array:
        return (points - self.origin) @ self.axis

    def _sizes(self, model: mujoco.MjModel, geom: int) -> list[tuple[int, int]]:
        matrix = np.empty(9)
        mujoco.mju_quat2Mat(matrix, model.geom_quat[geom])
        cosines = np.abs(matrix.reshape(3, 3).T @ self.axis)
        kind = mujoco.mjtGeom(int(model.geom_type[geom]))
        return [(geom, index) for axis, index in _STRETCHED[kind] if cosines[axis] > _ALIGNED]


def _anchor(model: mujoco.MjModel, body: int) -> Array:
    """Return where the body turns (3,), in its own frame: its last hinge, or its origin."""
    first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
    turning = [
        joint
        for joint in range(first, first + count)
        if int(model.jnt_type[joint]) == mujoco.mjtJoint.mjJNT_HINGE.value
    ]
    return model.jnt_pos[turning[-1]].copy() if turning else np.zeros(3)


def _end(model: mujoco.MjModel, child: int) -> Array:
    """Return where a child turns (3,), in its parent's frame."""
    turned = np.empty(3)
    mujoco.mju_rotVecQuat(turned, _anchor(model, child), model.body_quat[child])
    return model.body_pos[child] + turned
