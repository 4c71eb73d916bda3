"""A robot, as its folder describes it: joints, limits, rate, task, what is uncertain about it.

A robot is a folder with a `robot.toml` and a model (MJCF or URDF). Nothing here needs a simulator.
"""

import dataclasses
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sim2real import config
from sim2real.errors import ConfigError, ParameterError, RobotError, known
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a joint must never exceed, in SI units (rad or m, rad/s, Nm or N)."""

    torque: float
    velocity: float
    position: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.torque < math.inf or not 0 < self.velocity < math.inf:
            raise ConfigError(
                f"limits: torque {self.torque} and velocity {self.velocity} must be finite and"
                " above 0"
            )
        low, high = self.position or (-1.0, 1.0)
        if not -math.inf < low < high < math.inf:
            raise ConfigError(f"limits: position [{low}, {high}] must be [low, high], both finite")


@dataclass(frozen=True, kw_only=True)
class LuGre:
    """Friction of a drive at the joint, as bristles that bend (Canudas de Wit et al. 1995)."""

    stiffness: float
    """Of the bristles [Nm/rad]."""
    damping: float
    """Of the bristles [Nm s/rad]; the integrator adds timestep × damping to the joint's inertia."""
    coulomb: float
    """At speed [Nm]."""
    static: float
    """At the first motion [Nm]."""
    stribeck: float
    """Speed at which the one becomes the other [rad/s]."""

    def __post_init__(self) -> None:
        _above_zero("lugre", self)
        if self.static < self.coulomb:
            raise ConfigError(f"lugre: static {self.static} is below coulomb {self.coulomb}")


@dataclass(frozen=True, kw_only=True)
class Motor:
    """The DC motor behind a joint, whose driver gives the commanded torque while voltage lasts."""

    resistance: float
    """Of the winding, cables and driver [ohm]."""
    torque_constant: float
    """Of the motor without its gear [Nm/A], which is its back-EMF [V s/rad] as well."""
    voltage: float
    """Of the supply [V]: bounds the torque, and the less the faster the joint."""
    gear: float = 1.0
    """Turns of the motor for one of the joint."""
    rotor_inertia: float = 0.0
    """Of the motor without its gear [kg m²]."""
    inductance: float = 0.0
    """Of the winding [H]; 0: the current follows at once."""
    cogging: tuple[float, float] = (0.0, 0.0)
    """Amplitude [Nm] and periods a turn, at the joint."""
    lugre: LuGre | None = None

    def __post_init__(self) -> None:
        _above_zero("motor", self, ("resistance", "torque_constant", "voltage", "gear"))
        if self.rotor_inertia < 0 or self.inductance < 0:
            raise ConfigError("motor: rotor_inertia and inductance must not be negative")


@dataclass(frozen=True, kw_only=True)
class Terrain:
    """Uneven ground: tiles of several kinds, from easy to hard, each flat in its middle."""

    replaces: str
    """The geom, a plane, whose name, place, friction and colour the terrain takes."""
    kinds: tuple[Literal["flat", "rough", "slope", "stairs", "waves", "blocks"], ...]
    levels: int = 5
    """How many difficulties each kind has."""
    edge: float = 8.0
    """Length of a tile [m]."""
    resolution: float = 0.1
    """Between two heights [m]."""
    height: float = 0.2
    """Of the hardest level [m]."""
    platform: float = 1.0
    """Half width of the flat middle [m]."""
    seed: int = 0

    def __post_init__(self) -> None:
        _above_zero("terrain", self, ("levels", "edge", "resolution", "height", "platform"))
        if not self.kinds:
            raise ConfigError("terrain: name at least one kind")
        if not 2 * self.platform < self.edge or not 4 * self.resolution < self.edge:
            raise ConfigError(f"terrain: an edge of {self.edge} m leaves no room for a tile")


def _above_zero(what: str, value: Any, names: tuple[str, ...] = ()) -> None:
    for name in names or tuple(value.__dataclass_fields__):
        if not getattr(value, name) > 0:
            raise ConfigError(f"{what}: {name} = {getattr(value, name)} must be above 0")


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One joint and how it is driven."""

    mode: Literal["torque", "position", "passive"]
    """`torque`: commands in Nm; `position`: in rad, to a servo; `passive`: measured only."""
    limits: Limits | None = None
    kp: float = 0.0
    """Stiffness of the servo [Nm/rad], position mode."""
    kd: float = 0.0
    """Damping of the servo [Nm s/rad], position mode; also the gain with which the joint damps."""
    home: float = 0.0
    """Where an action of 0 points in position mode, and where the robot rests [rad]."""
    action: Literal["absolute", "increment"] = "absolute"
    """Position mode: an action moves the target from `home`, or from where it is."""
    action_scale: float | None = None
    """What an action of 1 means [Nm, or rad]; the torque limit if not given, in torque mode."""
    motor: Motor | None = None
    """The DC motor that makes the torque; an ideal one if not given."""

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.mode == "passive":
            if self.motor is not None:
                raise ConfigError("a passive joint has no motor: leave it out, or drive the joint")
            return
        if self.limits is None:
            raise ConfigError("a driven joint needs limits = { torque = ..., velocity = ... }")
        if self.mode == "position":
            if not self.kp > 0:
                raise ConfigError(f"position mode needs kp above 0, got {self.kp}")
            if self.action_scale is None or self.limits.position is None:
                raise ConfigError("position mode needs action_scale and limits.position")
            low, high = self.limits.position
            if not low <= self.home <= high:
                raise ConfigError(f"home {self.home:g} lies outside the limits [{low:g}, {high:g}]")

    def _check_numbers(self) -> None:
        for name in ("kp", "kd"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name} = {getattr(self, name)} must be finite, not below 0")
        if not math.isfinite(self.home):
            raise ConfigError(f"home = {self.home} must be finite")
        if self.action_scale is not None and not 0.0 < self.action_scale < math.inf:
            raise ConfigError(f"action_scale = {self.action_scale} must be finite and above 0")


@dataclass(frozen=True, kw_only=True)
class FloatingBase:
    """The body of a robot that nothing holds. It carries an IMU: orientation and gyroscope."""

    body: str
    """Its name in the model, where it has a free joint."""
    height: float
    """Of the body's origin above the ground when the robot stands at home [m]."""


BRAKING = 0.1
"""Time in which a joint stops from its largest velocity [s], where robot.toml does not say it."""


@dataclass(frozen=True, kw_only=True)
class EnvelopeOptions:
    """What the runtime watches beside the joints' limits; see docs/deployment.md."""

    lease: float | None = None
    """How long a command holds, and how old a measurement may be [s]; by default a fifth of a
    second, or five control steps where that is longer."""
    tolerance: float = 0.1
    """How far beyond its limits a joint may be measured before the run ends [rad, or m]."""
    margin: float = 0.02
    """How far before its limits a joint is brought to rest [rad, or m]."""
    braking: float | dict[str, float] = BRAKING
    """Time in which a joint can surely stop from its largest velocity [s], or a table of joints: a
    wrist stops sooner than a shoulder. A joint that is not in it has the default's 0.1 s."""
    lag: float = 0.05
    """Positions may lag velocities (or the reverse) by this [s]; more, and a sensor is stuck."""
    overruns: int = 10
    """Control steps in a row that may be late."""
    tilt: float | None = None
    """Largest angle between a floating base's vertical axis and the world's [rad]."""
    turn_rate: float = 50.0
    """Largest angular velocity of a floating base [rad/s]."""
    novelty: float | None = None
    """How far outside of what its policy met in training the robot may be, in widths of each
    measured number's range; by default it is only told."""
    temperature: float | None = None
    """Of the hottest motor [°C]."""
    voltage: tuple[float, float] | None = None
    """Of the supply: lowest and highest [V]."""

    def __post_init__(self) -> None:
        named = {name: value for name, value in vars(self).items() if name != "voltage"}
        if isinstance(self.braking, dict):
            del named["braking"]
            named |= {f"braking.{name}": value for name, value in self.braking.items()}
        for name, value in named.items():
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"envelope: {name} = {value} must be finite and above 0")
        low, high = self.voltage or (0.0, 1.0)
        if not low < high < math.inf:
            raise ConfigError(f"envelope: voltage [{low}, {high}] must be [low, high], both finite")

    def braking_of(self, joint: str) -> float:
        """Return the time in which a joint can surely stop from its largest velocity [s]."""
        return self.braking.get(joint, BRAKING) if isinstance(self.braking, dict) else self.braking


@dataclass(frozen=True, kw_only=True)
class Robot:
    """A robot's `robot.toml`; `joints` in the order that holds everywhere."""

    model: str
    """MJCF or URDF in the robot's folder, or `package:<package>/<path>` in an installed package."""
    task: dict[str, Any]
    """`name`, and the task's own options."""
    control_hz: float
    """Rate of the controller."""
    joints: dict[str, Joint]
    physics_hz: float | None = None
    """Rate of the simulated physics; the model's own if not given."""
    base: FloatingBase | None = None
    """None for a robot that is mounted, or whose base is a chain of joints."""
    tip: str | None = None
    """The site that tasks move: a fingertip; or a body (in a URDF a link), whose origin it is."""
    feet: tuple[str, ...] = ()
    """The sites that carry a walking robot, or bodies, as for `tip`."""
    deciding_geoms: tuple[str, ...] = ()
    """Geoms whose friction and softness hold in their contacts, whatever the ground's."""
    terrain: Terrain | None = None
    """Uneven ground instead of a plane."""
    envelope: EnvelopeOptions = field(default_factory=EnvelopeOptions)
    """What the runtime watches; no part of `robot_hash`."""
    randomize: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Dynamics parameter → how it differs between simulator and robots."""
    correlate: tuple[Correlation, ...] = ()
    """Groups of randomized parameters that are not drawn independently."""
    impossible: Literal["error", "redraw", "clip"] = "error"
    """What becomes of a draw that is not physically possible: a range that could give one is
    refused, or such parameters are drawn again, or moved to where they are possible."""
    description: str = ""
    name: str = ""
    folder: Path = Path()

    def __post_init__(self) -> None:
        if not self.joints or all(joint.mode == "passive" for joint in self.joints.values()):
            raise ConfigError("joints: a robot needs at least one driven joint")
        for name in ("control_hz", "physics_hz"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise ConfigError(f"{name}: {rate} must be finite and above 0")
        if "name" not in self.task:
            raise ConfigError("task: write [task] with name = ...")
        braking = self.envelope.braking
        for name in braking if isinstance(braking, dict) else ():
            if name not in self.driven:
                raise ConfigError(
                    f"envelope.braking: {name!r} is no driven joint{known(name, self.driven)}"
                )

    @property
    def driven(self) -> tuple[str, ...]:
        """Names of the joints that take commands, in order."""
        return tuple(name for name, joint in self.joints.items() if joint.mode != "passive")

    def drives_like(self, other: "Robot") -> bool:
        """Return whether one's policies can drive the other: the same joints, at the same rate."""
        return (tuple(self.joints), self.driven, self.control_hz) == (
            tuple(other.joints), other.driven, other.control_hz
        )  # fmt: skip

    @property
    def ranges(self) -> dict[str, Range]:
        """The randomized parameters with their parsed distributions; raises ParameterError.

        `joint.*.damping` and `actuator.*.kp` stand for all joints, each drawn for itself; a name
        written out wins over one with a star.
        """
        stars = {name: data for name, data in self.randomize.items() if "*" in name}
        exact = {name: data for name, data in self.randomize.items() if "*" not in name}
        every = {each: data for name, data in stars.items() for each in self._matching(name)}
        return {
            str(ParameterName.parse(name)): Range.parse(data, name)
            for name, data in (every | exact).items()
        }

    @property
    def correlations(self) -> tuple[Correlation, ...]:
        """The groups of `correlate`, with stars replaced; raises ParameterError."""
        groups: list[Correlation] = []
        for group in self.correlate:
            if any("*" in name for name in group.parameters) and group.matrix is not None:
                raise ParameterError("correlate: a matrix needs its parameters written out")
            names = [each for name in group.parameters for each in self._all(name)]
            groups.append(dataclasses.replace(group, parameters=tuple(names)))
        _check_groups(groups, self.ranges)
        return tuple(groups)

    def _all(self, name: str) -> list[str]:
        return self._matching(name) if "*" in name else [name]

    def _matching(self, pattern: str) -> list[str]:
        kind, _, attribute = pattern.partition(".*.")
        elements = {"joint": tuple(self.joints), "actuator": self.driven}
        if kind not in elements or "*" in attribute:
            raise ParameterError(
                f"{pattern!r}: a star can stand for all joints only: joint.*.damping, actuator.*.kp"
            )
        return [f"{kind}.{element}.{attribute}" for element in elements[kind]]

    @property
    def model_path(self) -> Path:
        """The model's file; raises RobotError if there is none."""
        if self.model.startswith("package:"):
            return _file_of_package(self.model.removeprefix("package:"), self.name)
        path = self.folder / self.model
        if not path.is_file():
            found = [
                p.name for p in self.folder.glob("*") if p.suffix in (".xml", ".urdf", ".mjcf")
            ]
            raise RobotError(f"robot {self.name!r}: no model file {path}{known(self.model, found)}")
        return path

    @classmethod
    def load(cls, folder: Path) -> "Robot":
        """Return the robot that `folder/robot.toml` describes; raises ConfigError, RobotError."""
        path = folder / "robot.toml"
        if not path.is_file():
            raise RobotError(f"{folder}: not a robot: it has no robot.toml")
        robot = config.load(cls, path)
        robot = dataclasses.replace(robot, name=robot.name or folder.name, folder=folder.resolve())
        try:
            # bad ones are refused here, not in the middle of a run
            _ = robot.correlations if robot.correlate else robot.ranges
        except ParameterError as error:
            raise ParameterError(f"{path}: randomize: {error}") from None
        if not robot.model.startswith("package:"):  # a robot's computer needs no simulator's files
            _ = robot.model_path
        return robot

    def with_ranges(self, ranges: Mapping[str, Range]) -> "Robot":
        """Return the robot with other randomization; what is left of a group stays correlated."""
        groups = (group.over(ranges) for group in self.correlations)
        return dataclasses.replace(
            self,
            randomize={name: item.to_toml() for name, item in ranges.items()},
            correlate=tuple(group for group in groups if len(group.parameters) > 1),
        )


def _check_groups(groups: list[Correlation], ranges: Mapping[str, Range]) -> None:
    seen: set[str] = set()
    for group in groups:
        for name in group.parameters:
            if name not in ranges:
                raise ParameterError(f"correlate: {name!r} is not randomized{known(name, ranges)}")
            if name in seen:
                raise ParameterError(f"correlate: {name!r} is named twice: give one group with all")
            seen.add(name)
        if len(group.parameters) < 2:
            raise ParameterError(
                f"correlate: {', '.join(group.parameters) or 'no parameter'} alone cannot be"
                " correlated: name two parameters or more"
            )
        if len({ranges[name].when for name in group.parameters}) > 1:
            raise ParameterError(
                f"correlate: {', '.join(group.parameters)} are drawn at different times: give them"
                " the same when or every"
            )
        group.root()  # refuses a coefficient that so many parameters cannot have


def _file_of_package(location: str, robot: str) -> Path:
    package, _, rest = location.partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a package in one that is not there; no name at all
        spec = None
    if spec is None or spec.origin is None:
        raise RobotError(
            f"robot {robot!r}: its model is in the package {package!r}, which is not installed"
        )
    path = Path(spec.origin).parent / rest
    if not path.is_file():
        raise RobotError(f"robot {robot!r}: no model file {path}")
    return path
