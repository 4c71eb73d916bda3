"""Rotations as unit quaternions w x y z: array functions for numpy, torch and the graph."""

from typing import Any

from sim2real.arrays import namespace


def rotate(quaternion: Any, vector: Any) -> Any:
    """Return vectors (n, 3) of the rotated frame in the fixed one, for quaternions (n, 4)."""
    return _turn(quaternion[:, :1], quaternion[:, 1:], vector)


def rotate_back(quaternion: Any, vector: Any) -> Any:
    """Return vectors (n, 3) of the fixed frame in the rotated one, for quaternions (n, 4)."""
    return _turn(quaternion[:, :1], -quaternion[:, 1:], vector)


def projected_gravity(quaternion: Any) -> Any:
    """Return the direction in which things fall, seen from frames world ← frame (n, 4): (n, 3).

    (0, 0, -1) for a frame that is level, whatever its heading.
    """
    xp = namespace(quaternion)
    w, x, y, z = (quaternion[:, i : i + 1] for i in range(4))
    return xp.concat([2 * (w * y - x * z), -2 * (y * z + w * x), 2 * (x * x + y * y) - 1], axis=-1)


def forward_axis(quaternion: Any) -> Any:
    """Return the world's x axis seen from frames world ← frame (n, 4): (n, 3)."""
    xp = namespace(quaternion)
    w, x, y, z = (quaternion[:, i : i + 1] for i in range(4))
    return xp.concat([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], axis=-1)


def cross(a: Any, b: Any) -> Any:
    """Return a × b for vectors (..., 3), of any array library; several times as fast as numpy's."""
    xp = namespace(a, b)
    (a1, a2, a3), (b1, b2, b3) = ([v[..., i : i + 1] for i in range(3)] for v in (a, b))
    return xp.concat([a2 * b3 - a3 * b2, a3 * b1 - a1 * b3, a1 * b2 - a2 * b1], axis=-1)


def _turn(scalar: Any, axis: Any, vector: Any) -> Any:
    # v + 2 w (a × v) + 2 a × (a × v), for a unit quaternion (w, a)
    once = 2.0 * cross(axis, vector)
    return vector + scalar * once + cross(axis, once)
