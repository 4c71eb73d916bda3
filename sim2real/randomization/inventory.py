"""Everything that can be randomized or calibrated on a robot."""

from dataclasses import dataclass

import mujoco

from sim2real.errors import ParameterError
from sim2real.randomization.terms import TERMS, make_term
from sim2real.robot import Robot


@dataclass(frozen=True)
class Entry:
    """One parameter of one robot."""

    name: str
    nominal: float
    unit: str
    summary: str


def inventory(robot: Robot, model: mujoco.MjModel) -> list[Entry]:
    """Return the parameters of `robot` that the package knows, by kind."""
    entries = []
    for key, cls in TERMS.items():
        kind, attribute = key.split(".")
        indices = [f"[{i}]" for i in range(cls.size)] if cls.size > 1 else [""]
        for element in _elements(robot, model, kind):
            for index in indices:
                name = f"{kind}.{element}.{attribute}{index}" if element else f"{key}{index}"
                try:
                    term = make_term(model, name, tuple(robot.joints))
                except ParameterError:  # a servo's gain, a massless body: not on this element
                    continue
                entries.append(Entry(name, term.nominal, cls.unit, cls.summary))
    return entries


def _elements(robot: Robot, model: mujoco.MjModel, kind: str) -> list[str]:
    if kind == "opt":
        return [""]
    if kind in ("actuator", "joint"):
        return list(robot.driven if kind == "actuator" else robot.joints)
    count = {"body": model.nbody, "geom": model.ngeom}[kind]
    names = [getattr(model, kind)(i).name for i in range(count)]
    return [name for name in names if name and name != "world"]
