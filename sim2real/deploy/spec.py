"""What an exported controller says about itself: one JSON text in the ONNX file's metadata."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sim2real import config
from sim2real.deploy.seal import UNSEALED
from sim2real.errors import ConfigError, ControllerError
from sim2real.robot import Joint, Robot
from sim2real.signals import Signal

METADATA_KEY = "sim2real"
SCHEMA = 4


@dataclass(frozen=True, kw_only=True)
class GoldenTape:
    """Recorded steps: from `state`, these inputs give these commands and end in `final_state`.

    To 1e-5, or to that share of a number beyond 1: float32 holds 200 Nm no finer than 1.5e-5.

    `inputs[name]` is (t, size), `state[name]` (size,), `command` (t, ncommand).
    """

    inputs: dict[str, tuple[tuple[float, ...], ...]]
    state: dict[str, tuple[float, ...]]
    command: tuple[tuple[float, ...], ...]
    final_state: dict[str, tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class RobotFacts:
    """What a controller relies on: with other numbers here it must not be run."""

    joints: dict[str, Joint]
    """Modes, gains, limits, meaning of an action."""
    control_hz: float
    base: str | None = None
    """The body that carries the IMU, if nothing holds the robot."""

    @classmethod
    def of(cls, robot: Robot) -> "RobotFacts":
        """Return the robot's."""
        base = None if robot.base is None else robot.base.body
        facts = cls(joints=dict(robot.joints), control_hz=robot.control_hz, base=base)
        return config.from_dict(cls, config.to_dict(facts))  # 100 and 100.0 are one number

    def differences(self, other: "RobotFacts") -> list[str]:
        """Return where another's differ, as `name: mine, not theirs`."""
        mine, theirs = (flat(config.to_dict(facts)) for facts in (self, other))
        names = [name for name in mine | theirs if mine.get(name) != theirs.get(name)]
        return [f"{name}: {mine.get(name)}, not {theirs.get(name)}" for name in names]


@dataclass(frozen=True, kw_only=True)
class ControllerSpec:
    """Everything a runtime must know to run a controller on the robot it was made for.

    The graph's inputs are the `signals` (1, size), `goal` (1, ngoal) if the task has one, and
    `state.<name>` (1, size); its outputs `command` (1, ncommand) and `next.state.<name>`. All are
    float32, in SI units and in the robot's joint order.
    """

    robot: str
    robot_hash: str
    joints: tuple[str, ...]
    driven: tuple[str, ...]
    facts: RobotFacts
    """The numbers behind `robot_hash`: the gains and limits that belong to the commands."""
    signals: dict[str, Signal]
    """What the robot must measure: `position` and `velocity`, and more of a floating base."""
    unread: tuple[str, ...]
    """Signals that the controller ignores."""
    task: str
    goal: tuple[float, ...]
    """The goal to pursue when the caller gives none; empty if the task has no goal."""
    initial_state: dict[str, tuple[float, ...]]
    seen: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    """What the policy met in training: signal, or `goal` → least and most of each of its numbers;
    empty if nobody noted it."""
    trained_on: dict[str, Any]
    """The randomization trained on: parameter → range, or the posterior's origin."""
    origin: dict[str, Any]
    """Configuration, seed, versions."""
    golden: GoldenTape
    seal: str = UNSEALED
    """A hash over the whole file: `sim2real.deploy.seal`."""
    schema: int = SCHEMA

    @property
    def control_hz(self) -> float:
        """Rate at which the controller must be stepped."""
        return self.facts.control_hz

    def to_json(self) -> str:
        """Return the text that `from_json` reads as the same specification."""
        return json.dumps(config.to_dict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> "ControllerSpec":
        """Return the specification; raises ControllerError if `text` does not hold one."""
        try:
            data = json.loads(text)
            if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
                found = data.get("schema") if isinstance(data, Mapping) else None
                raise ControllerError(
                    f"{where}: its specification is of schema {found}, not {SCHEMA}: export it"
                    " again with this version of sim2real"
                )
            return config.from_dict(cls, data, where)
        except (json.JSONDecodeError, ConfigError, RecursionError) as error:
            raise ControllerError(f"{where}: its specification is damaged: {error}") from None


def robot_hash(robot: Robot) -> str:
    """Return a hash of what a controller relies on: joints in order, modes, gains, limits, rate.

    And the body that carries the IMU, if the robot has one.
    """
    return facts_hash(RobotFacts.of(robot), tuple(robot.joints))


def facts_hash(facts: RobotFacts, joints: tuple[str, ...]) -> str:
    """Return the hash of facts about a robot whose joints stand in this order."""
    text = json.dumps([joints, config.to_dict(facts)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested tables and lists by their dotted names."""
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    leaves: dict[str, Any] = {}
    for key, item in pairs:
        full = f"{name}.{key}" if name else str(key)
        leaves |= flat(item, full) if isinstance(item, (Mapping, list)) else {full: item}
    return leaves
