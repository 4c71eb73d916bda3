"""What a calibration was made of: hashes of logs and model, versions."""

import hashlib
import platform
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import scipy

import sim2real
from sim2real.errors import CalibrationError
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory


def log_hashes(logs: Sequence[Trajectory]) -> dict[str, str]:
    """Return the hash of each log by its file's name; by its whole path where two share a name."""
    names = [Path(log.source).name or f"log {i}" for i, log in enumerate(logs)]
    count = Counter(names)
    labels = [n if count[n] == 1 else log.source for n, log in zip(names, logs, strict=True)]
    return {label: _hash(log) for label, log in zip(labels, logs, strict=True)}


def require_distinct(fitted: Sequence[Trajectory], held_out: Sequence[Trajectory]) -> None:
    """Raise CalibrationError if the same rows come twice, whatever the files are called.

    A log that is fitted checks nothing, and one that is fitted twice counts twice.
    """
    seen: dict[str, tuple[str, bool]] = {}
    for i, log in enumerate([*fitted, *held_out]):
        checks, rows = i >= len(fitted), _hash(log)
        if rows not in seen:
            seen[rows] = log.source, checks
            continue
        first, before = seen[rows]
        if checks != before:
            raise CalibrationError(
                f"{log.source} is held out, but it has the rows of {first}, which is fitted: it"
                " shows nothing of logs that were not fitted: hold another one out"
            )
        raise CalibrationError(
            f"{log.source} has the rows of {first}: name each log once, for it would count twice"
        )


def model_hash(robot: Robot) -> str:
    """Return a hash of the robot's description and of its model file."""
    digest = hashlib.sha256()
    for path in (robot.folder / "robot.toml", robot.model_path):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of what computed it."""
    return {
        "sim2real": sim2real.__version__,
        "mujoco": mujoco.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
    }


def _hash(log: Trajectory) -> str:
    """Return a hash of the rows, the same whatever format they were stored in."""
    digest = hashlib.sha256()
    arrays: list[Array | Any] = [log.time - log.time[0], log.position, log.command]
    if log.command_time is not None:
        arrays.append(log.command_time - log.time[0])
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
