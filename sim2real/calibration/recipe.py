"""A calibration's recipe: what to fit, how to read the logs, which parts of them count."""

import fnmatch
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sim2real import config, shipped
from sim2real.calibration.units import UNITS
from sim2real.errors import ConfigError, ParameterError, known
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Where a log holds one quantity, and in which unit."""

    column: str
    """Name of the CSV column, or of the array in an NPZ file."""
    unit: str
    """Required: degrees and radians look alike."""
    index: int | None = None
    """Column of a two-dimensional array in an NPZ file."""
    scale: float = 1.0
    """Factor beside the unit's: -1 for a joint that counts the other way."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ConfigError(
                f"column {self.column!r}: unit {self.unit!r}{known(self.unit, UNITS)}"
            )

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

    def __post_init__(self) -> None:
        _quantity(self.position, ("angle", "length"))
        _quantity(self.velocity, ("angular velocity", "velocity"))
        _quantity(self.command, ("torque", "force", "angle", "length"))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How a CSV or NPZ file becomes a trajectory."""

    time: Signal
    joints: dict[str, JointColumns]

    def __post_init__(self) -> None:
        _quantity(self.time, ("time",))


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What is known of a parameter before the logs."""

    prior: dict[str, Any]
    """A range around the nominal value: `{ scale = [0.5, 1.5] }`."""
    bounds: Interval | None = None
    """Values that the fit may take, absolute; by default all that the prior can draw."""

    def __post_init__(self) -> None:
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ConfigError(f"bounds {list(self.bounds)} must be [low, high]")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How logs are cut into windows, each predicted from its own start."""

    seconds: float = 0.5
    stride: float = 0.5
    smooth: float = 0.05
    """Half width of the local polynomial that estimates a window's initial state [s]."""
    min_motion: float = 0.02
    """A window in which no joint moves by this much is at rest [rad or m]; 0 keeps those, too."""

    def __post_init__(self) -> None:
        for name in ("seconds", "stride", "smooth"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"windows: {name} = {getattr(self, name)} must be above 0")


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Which files of a folder are fitted and which are held out, as globs."""

    fit: tuple[str, ...] = ("*.mcap",)
    held_out: tuple[str, ...] = ()
    exclude: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    """File name or glob → stretches [s from the first row] that a hand or a fault disturbed."""

    def excluded(self, source: str) -> tuple[Interval, ...]:
        """Return the stretches to leave out of the log that `source` names."""
        name = Path(source).name
        return tuple(
            stretch
            for pattern, stretches in self.exclude.items()
            if fnmatch.fnmatch(name, pattern)
            for stretch in stretches
        )


@dataclass(frozen=True, kw_only=True)
class Excitation:
    """What `sim2real record` plays unless told otherwise."""

    seconds: float = 20.0
    amplitude: float = 0.5
    """Share of the torque limit, or of the position limits."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A calibration's `recipe.toml`."""

    robot: str
    parameters: dict[str, Parameter]
    commands: Literal["sent", "measured"] = "sent"
    """`measured`: the command column is the torque that acted; no limit and no gain before it."""
    model_error: float = 0.002
    """Share of the motion by which the best model is still wrong: friction is no constant. What
    would have to be told from less than that is called not identified."""
    columns: Columns | None = None
    """Needed for CSV and NPZ; a recording of the package describes itself."""
    windows: Cut = field(default_factory=Cut)
    logs: Logs = field(default_factory=Logs)
    avoid: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    """Joint → stretches [rad, modulo 2 pi] that no window may enter: where prediction is chaotic.
    A slide's stretches [m] are taken as they are."""
    excitation: Excitation = field(default_factory=Excitation)
    description: str = ""

    def __post_init__(self) -> None:
        if not self.parameters:
            raise ConfigError("parameters: name at least one parameter to fit")
        for name in self.parameters:
            ParameterName.parse(name)
        _ = self.priors  # wrong ones are refused here

    @property
    def priors(self) -> dict[str, Range]:
        """The priors, parsed; raises ParameterError."""
        priors = {name: Range.parse(item.prior, name) for name, item in self.parameters.items()}
        for name, prior in priors.items():
            if prior.when != "episode" or prior.curriculum is not None:
                raise ParameterError(
                    f"{name}: a prior is of a constant: it has no when, every or curriculum"
                )
        return priors

    @classmethod
    def load(cls, folder: Path) -> "Recipe":
        """Return the recipe that `folder/recipe.toml` describes; raises ConfigError."""
        return config.load(cls, folder / "recipe.toml")

    def fit_files(self, folder: Path) -> list[Path]:
        """Return the logs in `folder` to fit, sorted; raises ConfigError if there are none."""
        return _matching(folder, self.logs.fit, "fit")

    def held_out_files(self, folder: Path) -> list[Path]:
        """Return the logs in `folder` to hold out, sorted, without those to fit."""
        if not self.logs.held_out:
            return []
        fitted = set(self.fit_files(folder))
        found = _matching(folder, self.logs.held_out, "held_out")
        return [path for path in found if path not in fitted]


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a shipped name or in a folder; raises ConfigError."""
    folders = {path.parent.name: path.parent
               for path in shipped.folder("calibration").glob("*/recipe.toml")}  # fmt: skip
    folder = folders.get(name, Path(name).expanduser())
    if not (folder / "recipe.toml").is_file():
        raise ConfigError(
            f"no recipe {name!r}: give a folder with a recipe.toml, or a shipped recipe"
            f"{known(name, folders)}"
        )
    return Recipe.load(folder)


def _matching(folder: Path, patterns: tuple[str, ...], what: str) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    if not found:
        names = [path.name for path in folder.glob("*")]
        raise ConfigError(
            f"{folder}: no log matches logs.{what} = {list(patterns)}{known(patterns[0], names)}"
        )
    return sorted(found)


def _quantity(signal: Signal | None, allowed: tuple[str, ...]) -> None:
    if signal is not None and UNITS[signal.unit][0] not in allowed:
        units = [unit for unit, (quantity, _) in UNITS.items() if quantity in allowed]
        raise ConfigError(
            f"column {signal.column!r}: {signal.unit!r} is no unit of {' or '.join(allowed)};"
            f" known: {', '.join(units)}"
        )
