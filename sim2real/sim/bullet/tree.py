"""A compiled MjModel's bodies and joints as a tree of links with one joint each.

MuJoCo lets a body have several joints, each about its own anchor; Bullet has one joint a link, at
the link's origin. A body with k joints becomes k links, of which the last carries the mass. Every
link of a body is oriented like the body, so a joint's axis and anchor keep their numbers. A body
with a free joint is no link, but the base of them all.
"""

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True)
class Link:
    """One link; positions in m, quaternions w x y z, all in the parent link's or its own frame."""

    parent: int
    """Index of the parent link, -1 for the base, or for the world if there is none."""
    joint: Literal["hinge", "slide", "fixed", "free"]
    position: Array
    """Of the link's origin in the parent link's frame (3,)."""
    rotation: Array
    """Of the link in the parent link's frame (4,)."""
    axis: Array
    """Of the joint, in the link's frame (3,)."""
    mass: float = 0.0
    inertia: Array | None = None
    """Principal moments (3,) [kg m²], about the axes `frame` at `centre`."""
    centre: Array | None = None
    """Centre of mass in the link's frame (3,)."""
    frame: Array | None = None
    """Principal axes in the link's frame (4,)."""


@dataclass(frozen=True)
class Tree:
    """The links of a model, parents first, and where MuJoCo's elements ended up."""

    links: list[Link]
    body_link: list[int]
    """Body id → the link that carries its mass; -1 for the base and for the world."""
    body_origin: Array
    """Origin of that link in the body's frame (nbody, 3): the anchor of the body's last joint."""
    joint_link: list[int]
    """Joint id → link; -1 for a free joint."""
    base: Link | None
    """The floating base; None where the links hang on the world."""

    @classmethod
    def of(cls, model: mujoco.MjModel) -> "Tree":
        """Return the tree of a model with hinges and slides, on a floating base or the world."""
        base = _free_body(model)
        link = base and _with_mass(
            Link(-1, "free", np.zeros(3), _IDENTITY, np.zeros(3)), model, base, np.zeros(3)
        )
        tree = cls([], [-1], np.zeros((model.nbody, 3)), [-1] * model.njnt, link or None)
        for body in range(1, model.nbody):
            if body == base or (base and not model.body_weldid[body]):
                tree.body_link.append(-1)
            else:
                tree._add_body(model, body)
        return tree

    def place(self, body: int, position: Array) -> tuple[int, Array]:
        """Return the link and the position in its frame (3,) of a position in a body's frame."""
        return self.body_link[body], position - self.body_origin[body]

    def _add_body(self, model: mujoco.MjModel, body: int) -> None:
        above = int(model.body_parentid[body])
        parent, start = self.place(above, model.body_pos[body])
        rotation = model.body_quat[body]
        first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        origin, links = np.zeros(3), []
        for joint in range(first, first + count):
            anchor = model.jnt_pos[joint]
            slide = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_SLIDE
            # an anchor means nothing to a slide; keeping the origin spares an offset
            step = np.zeros(3) if slide else anchor - origin
            origin = origin + step
            position = start + _rotate(rotation, step)
            kind = "slide" if slide else "hinge"
            self.joint_link[joint] = len(self.links) + len(links)
            links.append(Link(parent, kind, position, rotation, model.jnt_axis[joint].copy()))
            parent, start, rotation = self.joint_link[joint], np.zeros(3), _IDENTITY
        if not links:
            links.append(Link(parent, "fixed", start, rotation, np.array([0.0, 0.0, 1.0])))
        self.links.extend(links[:-1])
        self.links.append(_with_mass(links[-1], model, body, origin))
        self.body_link.append(len(self.links) - 1)
        self.body_origin[body] = origin


def scalar_joints(model: mujoco.MjModel) -> NDArray[np.intp]:
    """Return the ids of the hinges and slides (njoint,): all but a floating base's free joint."""
    return np.flatnonzero(model.jnt_type != mujoco.mjtJoint.mjJNT_FREE.value)


def _free_body(model: mujoco.MjModel) -> int:
    """Return the id of the body with a free joint, 0 if there is none."""
    free = np.flatnonzero(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE.value)
    return int(model.jnt_bodyid[free[0]]) if len(free) else 0


def _with_mass(link: Link, model: mujoco.MjModel, body: int, origin: Array) -> Link:
    return Link(
        link.parent,
        link.joint,
        link.position,
        link.rotation,
        link.axis,
        float(model.body_mass[body]),
        model.body_inertia[body].copy(),
        model.body_ipos[body] - origin,
        model.body_iquat[body].copy(),
    )


def _rotate(quaternion: Array, vector: Array) -> Array:
    turned = np.empty(3)
    mujoco.mju_rotVecQuat(turned, vector, quaternion)
    return turned
