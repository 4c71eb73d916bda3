"""Where the ends of several chains of joints are, and how they move: all of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.sim.chain import IN_PLACE, Step, cross_matrix

Array = NDArray[np.float64]


@final
class Legs:
    """Chains of joints that end in a point, all followed at once; shorter ones are filled up."""

    def __init__(self, chains: list[list[Step]]):
        self._end = np.array([chain[-1].position for chain in chains]).reshape(-1, 3)
        longest = max((len(chain) for chain in chains), default=1) - 1
        filler = Step(*IN_PLACE)
        padded = [[filler] * (longest + 1 - len(chain)) + chain[:-1] for chain in chains]
        self._joints = [_Joints.of(steps) for steps in zip(*padded, strict=True)]

    def motion(self, position: Array, velocity: Array) -> tuple[Array, Array]:
        """Return positions and velocities (n, nchain, 3) of the ends, seen from the root."""
        # from the end to the root, a point and its velocity need no rotation matrices; robots
        # last, so that each operation runs over all of them
        both = np.zeros((2, *self._end.T.shape, len(position)))
        both[0] = self._end.T[:, :, None]
        q, dq = np.ascontiguousarray(position.T), np.ascontiguousarray(velocity.T)
        for joints in reversed(self._joints):
            both = joints.carry(both, q, dq)
        point, moved = np.ascontiguousarray(both.transpose(0, 3, 2, 1))
        return point, moved


@dataclass(frozen=True)
class _Joints:
    """The same link of each chain: a fixed offset, and one joint behind it; (nchain, ...)."""

    position: Array
    rotation: Array
    joint: NDArray[np.intp]
    zero: Array
    slide: Array
    """The axis (nchain, 3) of a joint that slides, 0 for others."""
    turns: Array
    """1 where the joint turns."""
    cross: Array
    """(nchain, 3, 3), axis × vector."""
    twice: Array
    """(nchain, 3, 3), axis × (axis × vector)."""

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "_Joints":
        axes = np.array([np.zeros(3) if step.axis is None else step.axis for step in steps])
        slides = np.array([step.slides for step in steps])
        cross = np.array([cross_matrix(axis) for axis in axes])
        return cls(
            np.array([step.position for step in steps]),
            np.array([step.rotation for step in steps]),
            np.array([step.joint for step in steps]),
            np.array([step.zero for step in steps]),
            axes * slides[:, None],
            1.0 * ~slides,
            cross,
            cross @ cross,
        )

    def carry(self, both: Array, position: Array, velocity: Array) -> Array:
        """Return points and their velocities (2, 3, nchain, n) before joint and offset.

        `position` and `velocity` are (njoint, n).
        """
        moved, rate = position[self.joint] - self.zero[:, None], velocity[self.joint]
        angle, slide = self.turns[:, None] * moved, self.slide.T[:, :, None]
        sine, versine = np.sin(angle), 1.0 - np.cos(angle)
        both = both + sine * _times(self.cross, both) + versine * _times(self.twice, both)
        both[1] += self.turns[:, None] * rate * _times(self.cross, both[0]) + rate * slide
        both[0] += moved * slide
        both = _times(self.rotation, both)
        both[0] += self.position.T[:, :, None]
        return both


def _times(matrices: Array, vectors: Array) -> Array:
    """Return matrices (nchain, 3, 3) times vectors (..., 3, nchain, n)."""
    # not einsum, which rounds differently for other numbers of robots
    parts = [matrices.T[j][..., None] * vectors[..., j : j + 1, :, :] for j in range(3)]
    return parts[0] + parts[1] + parts[2]
