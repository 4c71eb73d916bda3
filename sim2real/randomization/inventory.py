"""Everything that can be randomized or calibrated on a robot."""

from dataclasses import dataclass

import mujoco

from sim2real.errors import ParameterError
from sim2real.randomization.terms import TERMS, make_term
from sim2real.randomization.terms.term import Term, element_names
from sim2real.robot import Robot


@dataclass(frozen=True)
class Entry:
    """One parameter of one robot."""

    name: str
    nominal: float
    unit: str
    summary: str
    bounds: tuple[float, float]
    """What is physically possible."""


def inventory(robot: Robot, model: mujoco.MjModel) -> list[Entry]:
    """Return the parameters of `robot` that the package knows, by kind."""
    entries = []
    for key, cls in TERMS.items():
        kind, attribute = key.split(".")
        indices = [f"[{i}]" for i in range(cls.size)] if cls.size > 1 else [""]
        for element in _elements(robot, model, kind):
            for number, index in enumerate(indices):
                name = f"{kind}.{element}.{attribute}{index}" if element else f"{key}{index}"
                try:
                    term = make_term(model, name, tuple(robot.joints))
                except ParameterError:  # a servo's gain, a massless body: not on this element
                    continue
                unit = unit_of(cls, number)
                entries.append(Entry(name, term.nominal, unit, cls.summary, term.bounds))
    return entries


def unit_of(cls: type[Term], index: int) -> str:
    """Return the unit of one of a term's numbers."""
    units = cls.unit.split(", ")
    return units[index] if len(units) == cls.size else cls.unit


def _elements(robot: Robot, model: mujoco.MjModel, kind: str) -> list[str]:
    if kind == "opt":
        return [""]
    if kind in ("actuator", "joint"):
        return list(robot.driven if kind == "actuator" else robot.joints)
    return [name for name in element_names(model, kind) if name != "world"]
