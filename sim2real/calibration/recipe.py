"""A calibration's recipe: what to fit, how to read the logs, which parts of them count."""

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sim2real import config, shipped
from sim2real.calibration.columns import Columns, Topics
from sim2real.calibration.plausibility.finding import Kind
from sim2real.calibration.search import Search
from sim2real.errors import ConfigError, ParameterError
from sim2real.errors import known as near
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range

SegmentKind = Literal["frozen", "saturated", "off"]
Interval = tuple[float, float]


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
class Unknown:
    """A number to estimate: a parameter of the model, in some of the logs."""

    parameter: str
    """Its name in the model."""
    run: str
    """The run whose own it is; empty if all logs share it."""
    belief: Parameter

    @property
    def name(self) -> str:
        """What tells it from the others: `payload: body.bob.mass`."""
        return f"{self.run}: {self.parameter}" if self.run else self.parameter

    @property
    def prior(self) -> Range:
        """The prior, parsed; raises ParameterError."""
        prior = Range.parse(self.belief.prior, self.parameter)
        if prior.when != "episode" or prior.curriculum is not None:
            raise ParameterError(
                f"{self.name}: a prior is of a constant: it has no when, every or curriculum"
            )
        return prior


@dataclass(frozen=True, kw_only=True)
class Run:
    """Logs that were recorded under other conditions: a payload, other gains, another surface."""

    logs: tuple[str, ...]
    """Globs of file names."""
    own: dict[str, Parameter] = field(default_factory=dict)
    """Parameters that these logs share with no others."""
    known: dict[str, float] = field(default_factory=dict)
    """Parameter → its value in these logs, in SI units."""

    def __post_init__(self) -> None:
        for name in (*self.own, *self.known):
            ParameterName.parse(name)
        twice = [name for name in self.own if name in self.known]
        if twice:
            raise ConfigError(f"runs: {twice[0]} is known: it cannot be estimated as well")

    def holds(self, source: str) -> bool:
        """Return whether the log that `source` names is one of them."""
        return any(fnmatch.fnmatch(Path(source).name, pattern) for pattern in self.logs)


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A parameter that the log itself tells: offset + scale × fact, in SI units."""

    fact: str
    """As the log's file calls it: `kp`, `mass`."""
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Models of which held-in validation chooses: each fold is predicted by a fit to the others."""

    classes: dict[str, tuple[str, ...]]
    """Class → which of `parameters` it has beside those that no class names; simplest first."""
    fold: str = ""
    """A fact: logs that agree about it are left out together; by default each log for itself."""

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise ConfigError("name at least two classes")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How logs are cut into windows, each predicted from its own start."""

    seconds: float = 0.5
    stride: float = 0.5
    smooth: float = 0.05
    """Half width of the local polynomial that estimates a window's initial state [s]."""
    min_motion: float = 0.02
    """A window in which no joint moves by this much is at rest [rad or m]; 0 keeps those, too."""
    refine: float | None = None
    """Length of windows to fit to once more, from where the fit to shorter ones ended [s]: what is
    told only by long motions has many local optima."""
    horizons: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Lengths of the windows over which predictions are compared [s]."""
    settled: bool = False
    """Whether windows start only where all joints stand still: for servos that hold a place."""

    def __post_init__(self) -> None:
        for name, least in (("seconds", 0.01), ("stride", 0.001), ("smooth", 1e-4)):
            if not least <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} = {getattr(self, name):g} must be a time from {least:g} s on"
                )
        if self.refine is not None and not 0.01 <= self.refine < math.inf:
            raise ConfigError(f"refine = {self.refine:g} must be a time from 0.01 s on")
        if not self.min_motion >= 0:
            raise ConfigError(f"min_motion = {self.min_motion:g} must not be negative")
        if not self.horizons or not all(0.01 <= each < math.inf for each in self.horizons):
            raise ConfigError(f"horizons = {list(self.horizons)} must be times from 0.01 s on")


@dataclass(frozen=True, kw_only=True)
class Logs:
    """Which files of a folder are fitted and which are held out, as globs."""

    fit: tuple[str, ...] = ("*.mcap",)
    held_out: tuple[str, ...] = ()
    exclude: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    """File name or glob → stretches [s from the first row] that a hand or a fault disturbed."""
    accept: tuple[Kind, ...] = ()
    """What may speak against a log without its being refused."""
    leave_out: tuple[SegmentKind, ...] = ("frozen",)
    """Stretches that no window may enter: where a sensor froze, a drive is at a limit, drives are
    off. The replay knows limits and drives that are off; where a limit is not known, leave them
    out, too."""

    def excluded(self, source: str) -> tuple[Interval, ...]:
        """Return the stretches to leave out of the log that `source` names."""
        name = Path(source).name
        return tuple(
            stretch
            for pattern, stretches in self.exclude.items()
            if fnmatch.fnmatch(name, pattern)
            for stretch in stretches
        )

    def __post_init__(self) -> None:
        _check_stretches("logs.exclude", self.exclude)


@dataclass(frozen=True, kw_only=True)
class Excitation:
    """What `sim2real record` plays unless told otherwise."""

    seconds: float = 20.0
    amplitude: float = 0.5
    """Share of the torque limit, or of the position limits."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf or not 0 < self.amplitude <= 1:
            raise ConfigError(
                f"seconds = {self.seconds:g} must be above 0, and amplitude ="
                f" {self.amplitude:g} a share of the limits, above 0 and up to 1"
            )


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
    """Needed for tables: CSV, NPZ, HDF5, Parquet, JSON. A recording of the package describes
    itself."""
    topics: Topics | None = None
    """Needed for bags and for MCAP files of others."""
    windows: Cut = field(default_factory=Cut)
    logs: Logs = field(default_factory=Logs)
    compare: tuple[str, ...] = ()
    """Joints whose positions are compared; by default all."""
    avoid: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    """Joint → stretches [rad, modulo 2 pi] that no window may enter: where prediction is chaotic.
    A slide's stretches [m] are taken as they are."""
    runs: dict[str, Run] = field(default_factory=dict)
    """Name → logs that have parameters of their own beside those that all share."""
    known: dict[str, Fact] = field(default_factory=dict)
    """Parameter → what the logs say of it, each for itself."""
    choose: Choice | None = None
    """By default there is one model: that with all parameters."""
    widen: bool = False
    """Whether to widen the posterior until it holds the held-out logs, nowhere beyond the prior.
    The gate and all errors stay what they were."""
    search: Search = field(default_factory=Search)
    """How widely to look for the best fit."""
    excitation: Excitation = field(default_factory=Excitation)
    published: dict[str, float] = field(default_factory=dict)
    """Parameter → what others say it is, in SI units: one more curve to compare with. What is not
    named here is nominal."""
    description: str = ""

    def __post_init__(self) -> None:
        if not self.parameters:
            raise ConfigError("parameters: name at least one parameter to fit")
        for name in self.published:
            if name not in self.parameters:
                raise ConfigError(
                    f"published: {name!r} is none of the parameters{near(name, self.parameters)}"
                )
        for name in (*self.parameters, *self.known):
            ParameterName.parse(name)
        if not 0 <= self.model_error < 1:
            raise ConfigError(
                f"model_error = {self.model_error:g} must be a share of the motion, from 0 to 1"
            )
        if len(set(self.compare)) < len(self.compare):
            raise ConfigError(f"compare: {list(self.compare)}: name each joint once")
        for name in self.known:
            if name in self.parameters:
                raise ConfigError(f"known: {name} is told by the logs: do not estimate it as well")
        _check_stretches("avoid", self.avoid)
        _check_choice(self)
        _ = [unknown.prior for unknown in self.unknowns]  # wrong ones are refused here

    def fitting(self, parameters: Mapping[str, Parameter], **changes: Any) -> "Recipe":
        """Return the recipe with other parameters; what is published of those left out goes too."""
        published = {name: value for name, value in self.published.items() if name in parameters}
        return replace(self, parameters=dict(parameters), published=published, **changes)

    @property
    def unknowns(self) -> tuple["Unknown", ...]:
        """What is asked for: what all logs share before runs' own."""
        shared = [Unknown(parameter=n, run="", belief=b) for n, b in self.parameters.items()]
        own = [
            Unknown(parameter=name, run=run, belief=belief)
            for run, settings in self.runs.items()
            for name, belief in settings.own.items()
        ]
        return (*shared, *own)

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
    given = Path(name).expanduser()
    folder = folders.get(name, given.parent if given.name == "recipe.toml" else given)
    if not (folder / "recipe.toml").is_file():
        raise ConfigError(
            f"no recipe {name!r}: give a folder with a recipe.toml, or a shipped recipe"
            f"{near(name, folders)}"
        )
    return Recipe.load(folder)


def _check_stretches(what: str, given: Mapping[str, tuple[Interval, ...]]) -> None:
    for name, stretches in given.items():
        for low, high in stretches:
            if not low < high:
                raise ConfigError(f"{what}: {name}: [{low:g}, {high:g}] must be [begin, end]")


def _check_choice(recipe: Recipe) -> None:
    optional = recipe.choose.classes if recipe.choose else {}
    for label, names in optional.items():
        for name in names:
            if name not in recipe.parameters:
                raise ConfigError(
                    f"choose: class {label!r} has {name!r}, which is not among the parameters"
                    f"{near(name, recipe.parameters)}"
                )


def _is_log(path: Path) -> bool:
    return path.is_file() or (path / "metadata.yaml").is_file()  # rosbag2 writes folders


def _matching(folder: Path, patterns: tuple[str, ...], what: str) -> list[Path]:
    found = {path for pattern in patterns for path in folder.glob(pattern) if _is_log(path)}
    if not found:
        names = [path.name for path in folder.glob("*")]
        raise ConfigError(
            f"{folder}: no log matches logs.{what} = {list(patterns)}{near(patterns[0], names)}"
        )
    return sorted(found)
