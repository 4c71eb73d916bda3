"""The regimes of a robot: where it was and what it was told, as numbers with names."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.gap.replay import LogReplay

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One number of a state or a command."""

    name: str
    joint: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """Coordinates of `n` windows, and the same as a classifier takes them."""

    coordinates: tuple[Coordinate, ...]
    values: Array
    """(n, ncoordinate), angles of joints that turn freely in (-π, π]."""
    features: Array
    """(n, nfeature): such an angle as its sine and cosine."""
    columns: tuple[tuple[int, ...], ...]
    """The features of each coordinate."""

    @classmethod
    def of(cls, replay: LogReplay) -> "Regimes":
        """Return the windows' starts and commands."""
        robot, windows = replay.robot, replay.windows
        coordinates: list[Coordinate] = []
        values: list[Array] = []
        features: list[Array] = []
        columns: list[tuple[int, ...]] = []

        def add(what: str, joint: str, unit: str, value: Array, parts: list[Array]) -> None:
            coordinates.append(Coordinate(name=f"{joint} {what}", joint=joint, unit=unit))
            values.append(value)
            columns.append(tuple(range(len(features), len(features) + len(parts))))
            features.extend(parts)

        for i, name in enumerate(robot.joints):
            joint = replay.model.joint(name)
            hinge = joint.type[0] == mujoco.mjtJoint.mjJNT_HINGE
            angle = windows.position[:, i]
            if hinge and not joint.limited[0]:
                wrapped = np.pi - np.mod(np.pi - angle, 2 * np.pi)
                add("position", name, "rad", wrapped, [np.sin(angle), np.cos(angle)])
            else:
                add("position", name, "rad" if hinge else "m", angle, [angle])
            speed = windows.velocity[:, i]
            add("velocity", name, "rad/s" if hinge else "m/s", speed, [speed])
        ncommand = len(robot.driven)
        for i, name in enumerate(robot.driven):
            hinge = replay.model.joint(name).type[0] == mujoco.mjtJoint.mjJNT_HINGE
            force = robot.joints[name].mode == "torque"
            unit = ("Nm" if hinge else "N") if force else ("rad" if hinge else "m")
            for what, column in (("command before", i), ("command", ncommand + i)):
                told = replay.command[:, column]
                add(what, name, unit, told, [told])
        return cls(
            coordinates=tuple(coordinates),
            values=np.stack(values, axis=1),
            features=np.stack(features, axis=1),
            columns=tuple(columns),
        )
