"""The part of a recipe that says what a log's columns or topics mean. Units are never guessed."""

from dataclasses import dataclass, field
from typing import Literal

from sim2real.calibration.units import UNITS
from sim2real.errors import ConfigError, known

_ANGLE, _SPEED = ("angle", "length"), ("angular velocity", "velocity")
_TORQUE = ("torque", "force")


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Where a table holds one quantity, and in which unit."""

    column: str
    """Name of the column, array or dataset."""
    unit: str
    """Required: degrees and radians look alike."""
    index: int | str | None = None
    """Which number of a column that holds several in a row; or its name, if the file tells the
    names (LeRobot's meta/info.json)."""
    scale: float = 1.0
    """Factor beside the unit's: -1 for a joint that counts the other way."""
    offset: float = 0.0
    """Added after that, in SI units."""
    bits: int | None = None
    """Of a register that was logged unsigned although it is signed: two's complement of so many."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(
                f"column {self.column!r}: unit {self.unit!r}{known(self.unit, UNITS)}"
            )
        if self.bits is not None and not 1 < self.bits <= 32:
            raise ConfigError(f"column {self.column!r}: bits = {self.bits} must be from 2 to 32")

    @property
    def factor(self) -> float:
        """What to multiply with to get SI units."""
        return self.scale * UNITS[self.unit][1]


@dataclass(frozen=True, kw_only=True)
class JointColumns:
    """The signals of one joint; without `velocity` it is the slope of the position."""

    position: Signal
    velocity: Signal | None = None
    command: Signal | None = None
    """Needed for a driven joint."""
    torque: Signal | None = None
    """What the drive measured that it gave, with its sign; all joints have it or none."""

    def __post_init__(self) -> None:
        _quantity(self.position, _ANGLE)
        _quantity(self.velocity, _SPEED)
        _quantity(self.command, _TORQUE + _ANGLE)
        _quantity(self.torque, _TORQUE)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How a table becomes a trajectory."""

    time: Signal
    joints: dict[str, JointColumns]
    command_time: Signal | None = None
    """Stamps of the commands, if they have rows of their own; on the clock of `time`."""
    command_file: tuple[str, str] | None = None
    """Part of the log's file name, and what to put there for the name of the file with the
    commands: ["__state", "__control"]. It needs `command_time`."""
    enabled: str | None = None
    """Column that is 0 or false where the drives were off."""
    facts: dict[str, str] = field(default_factory=dict)
    """Fact → the column whose mean over the log it is: a temperature, a supply voltage."""
    episode: str | None = None
    """Column with the number of the episode, if each counts its time from 0. Episodes are put after
    one another, with a pause that no window spans."""
    episodes: tuple[int, ...] = ()
    """Which of them to read; all if empty."""

    def __post_init__(self) -> None:
        _quantity(self.time, ("time",))
        _quantity(self.command_time, ("time",))
        if self.command_file is not None and self.command_time is None:
            raise ConfigError("command_file: commands in a file of their own need a command_time")
        if self.episodes and self.episode is None:
            raise ConfigError("episodes: to choose some, name the column: episode = ...")
        if self.episode is not None and self.command_time is not None:
            raise ConfigError("episode: a log of many episodes must have its commands in the rows")
        with_torque = {name for name, joint in self.joints.items() if joint.torque is not None}
        if with_torque and with_torque != set(self.joints):
            missing = ", ".join(sorted(set(self.joints) - with_torque))
            raise ConfigError(
                f"torque: give it for all joints or for none; it is missing for {missing}"
            )


@dataclass(frozen=True, kw_only=True)
class MeasuredTopic:
    """Messages with names, positions and what else a joint measures: sensor_msgs/JointState."""

    topic: str
    position: str
    """Unit: JointState means rad, drivers do not always."""
    velocity: str | None = None
    """Unit; without it the velocity is the slope of the position."""
    effort: str | None = None
    """Unit; without it no torque is read."""

    def __post_init__(self) -> None:
        _unit(self.topic, self.position, _ANGLE)
        _unit(self.topic, self.velocity, _SPEED)
        _unit(self.topic, self.effort, _TORQUE)


@dataclass(frozen=True, kw_only=True)
class CommandTopic:
    """Messages with commands: Float64MultiArray, JointState, JointTrajectory of one point each."""

    topic: str
    unit: str
    """Says also which field: efforts if it is Nm or N, else positions."""
    joints: tuple[str, ...] = ()
    """The robot's joints in the order of the numbers, for messages without names."""

    def __post_init__(self) -> None:
        _unit(self.topic, self.unit, _TORQUE + _ANGLE)


@dataclass(frozen=True, kw_only=True)
class Topics:
    """How the messages of a bag become a trajectory."""

    measured: MeasuredTopic
    command: CommandTopic
    names: dict[str, str] = field(default_factory=dict)
    """Robot's joint → its name in messages, where that is another one."""
    clock: Literal["header", "received"] = "header"
    """Stamps of the messages' headers where they have them, or always the recorder's."""


def _quantity(signal: Signal | None, allowed: tuple[str, ...]) -> None:
    if signal is not None:
        _unit(signal.column, signal.unit, allowed, "column")


def _unit(name: str, unit: str | None, allowed: tuple[str, ...], what: str = "topic") -> None:
    if unit is None:
        return
    if unit not in UNITS:
        raise ConfigError(f"{what} {name!r}: unit {unit!r}{known(unit, UNITS)}")
    if UNITS[unit][0] not in allowed:
        units = [other for other, (quantity, _) in UNITS.items() if quantity in allowed]
        raise ConfigError(
            f"{what} {name!r}: {unit!r} is no unit of {' or '.join(allowed)};"
            f" known: {', '.join(units)}"
        )
