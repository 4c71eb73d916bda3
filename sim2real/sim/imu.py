"""How a sensor that is screwed on askew sees the body that carries it."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mounting(tilt: Array) -> Array:
    """Return rotations (n, 3, 3) from a sensor's frame to its body's.

    Args:
        tilt: roll, pitch and yaw (n, 3) [rad] of the sensor on the body: R = Rz Ry Rx, about the
            body's axes in the order x, y, z (Diebel 2006).
    """
    (sx, sy, sz), (cx, cy, cz) = np.sin(tilt).T, np.cos(tilt).T
    rows = [
        [cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz],
        [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz],
        [-sy, sx * cy, cx * cy],
    ]
    return np.array(rows).transpose(2, 0, 1)


def as_seen(vector: Array, tilt: Array) -> Array:
    """Return vectors (n, 3) of the body's frame as a sensor mounted with `tilt` (n, 3) sees them.

    Right for every vector: angular velocity, acceleration, the direction of gravity.
    """
    return np.einsum("nji,nj->ni", mounting(tilt), vector)


def orientation_as_seen(quaternion: Array, tilt: Array) -> Array:
    """Return the orientations w x y z (n, 4) of sensors on bodies of orientation `quaternion`."""
    for axis in (2, 1, 0):  # R = Rz Ry Rx
        quaternion = turned(quaternion, tilt * np.eye(3)[axis])
    return quaternion


def turned(quaternion: Array, rotation: Array) -> Array:
    """Return orientations w x y z (n, 4), turned by rotation vectors (n, 3) of their own frame."""
    angle = np.linalg.norm(rotation, axis=1, keepdims=True)
    axis = 0.5 * np.sinc(angle / (2.0 * np.pi)) * rotation  # sin(angle / 2) along the axis
    w, v, cosine = quaternion[:, :1], quaternion[:, 1:], np.cos(0.5 * angle)
    scalar = w * cosine - (v * axis).sum(axis=1, keepdims=True)
    return np.concatenate([scalar, w * axis + cosine * v + np.cross(v, axis)], axis=1)


def normalized(quaternion: Array) -> Array:
    """Return unit quaternions (n, 4) of the same direction."""
    return quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True)
