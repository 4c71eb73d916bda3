"""Where the ends of several chains of joints are, and how they move: all of them at once."""

from collections.abc import Sequence
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
        self._joints = [_Joints(steps) for steps in zip(*padded, strict=True)]

    def motion(self, position: Array, velocity: Array) -> tuple[Array, Array]:
        """Return positions and velocities (n, nchain, 3) of the ends, seen from the root."""
        # from the end to the root, a point and its velocity need no rotation matrices; robots
        # last, so that each operation runs over all of them
        both = np.zeros((3, 2, len(self._end), len(position)))
        both[:, 0] = self._end.T[:, :, None]
        q, dq = np.ascontiguousarray(position.T), np.ascontiguousarray(velocity.T)
        for joints in reversed(self._joints):
            both = joints.carry(both, q, dq)
        point, moved = np.ascontiguousarray(both.transpose(1, 3, 2, 0))
        return point, moved


class _Joints:
    """The same link of each chain: a fixed offset, and one joint behind it."""

    def __init__(self, steps: Sequence[Step]):
        axes = np.array([np.zeros(3) if step.axis is None else step.axis for step in steps])
        slides = np.array([step.slides for step in steps])
        cross = np.array([cross_matrix(axis) for axis in axes])
        self._position = np.array([step.position for step in steps]).T[..., None]
        self._rotation = _Matrices(np.array([step.rotation for step in steps]))
        self._joint = np.array([step.joint for step in steps])
        self._zero = np.array([step.zero for step in steps])[:, None]
        self._slide = (axes * slides[:, None]).T[..., None]
        self._turns = 1.0 * ~slides[:, None]
        self._cross, self._twice = _Matrices(cross), _Matrices(cross @ cross)

    def carry(self, both: Array, position: Array, velocity: Array) -> Array:
        """Return points and their velocities (3, 2, nchain, n), seen from before the offset.

        `position` and `velocity` are (njoint, n).
        """
        moved, rate = position[self._joint] - self._zero, velocity[self._joint]
        angle = self._turns * moved
        turn = np.sin(angle) * self._cross.times(both)  # Rodrigues' formula
        both = both + turn + (1.0 - np.cos(angle)) * self._twice.times(both)
        both[:, 1] += self._turns * rate * self._cross.times(both[:, 0]) + rate * self._slide
        both[:, 0] += moved * self._slide
        both = self._rotation.times(both)
        both[:, 0] += self._position
        return both


class _Matrices:
    """A fixed matrix for each chain; most of their numbers are 0, and cost nothing."""

    def __init__(self, matrices: Array):
        """Take matrices (nchain, 3, 3)."""
        numbers = [(i, j, matrices[:, i, j, None]) for i in range(3) for j in range(3)]
        self._numbers = [(i, j, number) for i, j, number in numbers if number.any()]

    def times(self, vectors: Array) -> Array:
        """Return matrices times vectors (3, ..., nchain, n)."""
        # not einsum, which rounds differently for other numbers of robots
        out = np.zeros_like(vectors)
        for i, j, number in self._numbers:
            out[i] += number * vectors[j]
        return out
