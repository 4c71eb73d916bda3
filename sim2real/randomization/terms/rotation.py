"""Terms that turn a frame or a direction by a rotation vector: its length is the angle."""

from collections.abc import Sequence
from typing import ClassVar, final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array, SharedTerm, Writer, element_id
from sim2real.sim.simulator import Ids, Simulator


def quaternion_of(vector: Array) -> Array:
    """Return the quaternions w x y z (..., 4) of rotation vectors (..., 3) [rad]."""
    half = 0.5 * np.sqrt(np.square(vector).sum(axis=-1, keepdims=True))
    # sin(half) / (2 half), exact at 0
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * vector], axis=-1)


def multiply(a: Array, b: Array) -> Array:
    """Return the product of quaternions w x y z (..., 4): first `b`, then `a`."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    scalar = aw * bw - (av * bv).sum(axis=-1, keepdims=True)
    return np.concatenate([scalar, aw * bv + bw * av + _cross(av, bv)], axis=-1)


def rotate(quaternion: Array, vector: Array) -> Array:
    """Return vectors (..., 3) turned by quaternions w x y z (..., 4)."""
    w, v = quaternion[..., :1], quaternion[..., 1:]
    twice = 2.0 * _cross(v, vector)
    return vector + w * twice + _cross(v, twice)


@final
class RotationWriter(Writer):
    """Turns each element's frame about its own axes, or its direction about the parent's."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        groups: dict[str, list[tuple[int, RotationTerm]]] = {}
        for column, term in enumerate(terms):
            assert isinstance(term, RotationTerm)
            groups.setdefault(term.field, []).append((column, term))
        self._groups = [_Group(model, field, pairs) for field, pairs in groups.items()]

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        for group in self._groups:
            vectors = np.zeros((len(ids), len(group.elements), 3))
            vectors[:, group.rows, group.axes] = values[:, group.columns]
            turn = quaternion_of(vectors)
            turned = (
                multiply(group.nominal, turn)
                if group.nominal.shape[-1] == 4
                else rotate(turn, np.broadcast_to(group.nominal, vectors.shape))
            )
            sim.fields.expand(group.field)[ids[:, None], group.elements] = turned


class RotationTerm(SharedTerm):
    """A coordinate of a rotation vector, nominally 0."""

    unit = "rad"
    bounds = (-np.pi, np.pi)
    size = 3
    writer = RotationWriter
    field: ClassVar[str]
    """Of quaternions (n, 4), or of directions (n, 3)."""

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.element = element_id(model, self.name)
        self.nominal = 0.0


def _cross(a: Array, b: Array) -> Array:
    # numpy's own takes three times as long for a few vectors
    return a[..., _NEXT] * b[..., _LAST] - a[..., _LAST] * b[..., _NEXT]


_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


class _Group:
    """The terms of one field as arrays."""

    def __init__(self, model: mujoco.MjModel, field: str, pairs: list[tuple[int, RotationTerm]]):
        self.field = field
        self.elements = np.unique([term.element for _, term in pairs])
        self.rows = np.searchsorted(self.elements, [term.element for _, term in pairs])
        self.axes = np.array([term.index for _, term in pairs])
        self.columns = np.array([column for column, _ in pairs])
        self.nominal: Array = getattr(model, field)[self.elements].copy()
