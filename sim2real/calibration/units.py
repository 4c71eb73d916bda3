"""Units that a log's columns may have."""

import math

UNITS: dict[str, tuple[str, float]] = {
    "s": ("time", 1.0),
    "ms": ("time", 1e-3),
    "us": ("time", 1e-6),
    "ns": ("time", 1e-9),
    "rad": ("angle", 1.0),
    "deg": ("angle", math.pi / 180),
    "rev": ("angle", 2 * math.pi),
    "m": ("length", 1.0),
    "mm": ("length", 1e-3),
    "rad/s": ("angular velocity", 1.0),
    "deg/s": ("angular velocity", math.pi / 180),
    "rev/s": ("angular velocity", 2 * math.pi),
    "rpm": ("angular velocity", 2 * math.pi / 60),
    "m/s": ("velocity", 1.0),
    "mm/s": ("velocity", 1e-3),
    "Nm": ("torque", 1.0),
    "mNm": ("torque", 1e-3),
    "N": ("force", 1.0),
}
"""Unit → the quantity that it measures, and what to multiply with to get SI units."""
