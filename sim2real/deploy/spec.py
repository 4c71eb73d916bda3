"""What an exported controller says about itself: one JSON text in the ONNX file's metadata."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim2real import config
from sim2real.errors import ConfigError, ControllerError
from sim2real.robot import Robot
from sim2real.signals import Signal

METADATA_KEY = "sim2real"
SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class GoldenTape:
    """Recorded steps: from `state`, these inputs give these commands.

    To 1e-5, or to that share of a command beyond 1: float32 holds 200 Nm no finer than 1.5e-5.

    `inputs[name]` is (t, size), `state[name]` (size,), `command` (t, ncommand).
    """

    inputs: dict[str, tuple[tuple[float, ...], ...]]
    state: dict[str, tuple[float, ...]]
    command: tuple[tuple[float, ...], ...]


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
    signals: dict[str, Signal]
    """What the robot must measure: `position` and `velocity`, and more of a floating base."""
    control_hz: float
    task: str
    goal: tuple[float, ...]
    """The goal to pursue when the caller gives none; empty if the task has no goal."""
    initial_state: dict[str, tuple[float, ...]]
    trained_on: dict[str, Any]
    """The randomization trained on: parameter → range, or the posterior's origin."""
    origin: dict[str, Any]
    """Configuration, seed, versions."""
    golden: GoldenTape
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the text that `from_json` reads as the same specification."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, allow_nan=False)

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
        except (json.JSONDecodeError, ConfigError) as error:
            raise ControllerError(f"{where}: its specification is damaged: {error}") from None


def robot_hash(robot: Robot) -> str:
    """Return a hash of what a controller relies on: joints in order, modes, gains, limits, rate.

    And the body that carries the IMU, if the robot has one.
    """
    facts: dict[str, Any] = {
        "joints": [(name, dataclasses.asdict(joint)) for name, joint in robot.joints.items()],
        "control_hz": robot.control_hz,
    }
    if robot.base is not None:
        facts["base"] = robot.base.body
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
