"""How a sensor that is screwed on askew sees the vectors of the body that carries it."""

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
