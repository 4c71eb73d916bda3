"""Logs in, verdict out: the coverage of a robot's logs by its randomization as one call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim2real.calibration.logs import read_log
from sim2real.calibration.recipe import Recipe
from sim2real.errors import CalibrationError, ConfigError
from sim2real.evaluation.coverage.explanation import Explanation, explain, shares
from sim2real.evaluation.coverage.replay import Replay, Replayer, plain_recipe
from sim2real.evaluation.coverage.verdict import NARROW, WIDE, Coverage, judge
from sim2real.evaluation.worlds import Drawn, drawn_parameters
from sim2real.parameters.names import ParameterName
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot

LEAST_WORLDS = 2 * (round(1 / NARROW) + 1)
"""Half of them rank the robot: fewer could not give a chance as small as the criterion."""


@dataclass(frozen=True, kw_only=True)
class NoiseCheck:
    """The noise in the logs beside the range of the parameter that imitates it."""

    name: str
    unit: str
    measured: float
    """Standard deviation in the logs, the largest of them."""
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the range holds it."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, kw_only=True)
class Study:
    """All that a coverage report shows."""

    robot: Robot
    logs: tuple[str, ...]
    replay: Replay
    coverage: Coverage
    explanations: tuple[Explanation, ...]
    """Of what escapes; empty if nothing does, or if no single parameter explains it."""
    shares: dict[str, float]
    """Parameter → its share of what makes the worlds differ."""
    noise: tuple[NoiseCheck, ...]

    @property
    def lead(self) -> str:
        """The verdict in words."""
        return _words(self)

    def facts(self) -> dict[str, Any]:
        """Return the numbers, for a script."""
        fields = ("name", "verdict", "inside", "distance", "p_narrow", "p_wide")
        return {
            "robot": self.robot.name,
            "verdict": self.coverage.verdict,
            "p_narrow": self.coverage.p_narrow,
            "p_wide": self.coverage.p_wide,
            "criterion": {"too_narrow": NARROW, "too_wide": WIDE},
            "logs": self.logs,
            "worlds": len(self.replay.values),
            "horizon": self.replay.horizon,
            "windows": int(self.replay.window.max() + 1),
            "dropped": self.replay.dropped,
            "not_tested": self.replay.ignored,
            "signals": [
                {
                    **{name: getattr(signal, name) for name in fields},
                    "ranks": signal.histogram,
                    "escapes": [
                        vars(escape) | {"log": self.logs[escape.log]} for escape in signal.escapes
                    ],
                }
                for signal in self.coverage.signals
            ],
            "explanations": [vars(item) for item in self.explanations],
            "band_made_by": self.shares,
            "noise": [vars(item) | {"inside": item.inside} for item in self.noise],
        }


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to replay."""

    worlds: int = 240
    """Half of them rank the robot."""
    horizon: float | None = None
    """Length of the windows [s]; chosen by what the logs can tell if not given."""
    seed: int = 0
    """Of the worlds."""
    nthread: int = 1
    """Threads of the simulator."""

    def __post_init__(self) -> None:
        if self.worlds < LEAST_WORLDS:
            raise ConfigError(f"worlds = {self.worlds}: the criterion needs {LEAST_WORLDS} or more")
        if self.horizon is not None and not self.horizon > 0:
            raise ConfigError(f"horizon = {self.horizon:g} must be above 0 seconds")


def study(
    robot: Robot,
    paths: Sequence[Path],
    recipe: Recipe | None = None,
    posterior: Posterior | None = None,
    *,
    settings: Settings | None = None,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Study:
    """Return how the robot's randomization covers its logs.

    Args:
        robot: the robot that was recorded, with its ranges.
        paths: its logs; MCAP, or with a recipe CSV and NPZ.
        recipe: how to read them and which parts of them count.
        posterior: drawn instead of the robot's ranges for its parameters.
        settings: how to replay.
        on_progress: told what is being done.

    Raises:
        LogError: a log is damaged or not this robot's.
        CalibrationError: the logs hold nothing to compare.
    """
    how = settings or Settings()
    on_progress(f"reading {len(paths)} logs")
    logs = [read_log(path, recipe or plain_recipe(robot), robot) for path in paths]
    replayer = Replayer(robot, logs, recipe, posterior, seed=how.seed, nthread=how.nthread)
    on_progress("choosing the horizon")
    horizon = replayer.choose_horizon() if how.horizon is None else how.horizon
    windows = replayer.windows(horizon)
    if not len(windows):
        raise CalibrationError(
            f"the logs hold no window of {horizon:g} s to compare: {windows.dropped or 'too short'}"
        )
    on_progress(f"replaying {len(windows)} windows in {how.worlds} worlds")
    replay = replayer.replay(replayer.draw(how.worlds), windows, horizon)
    on_progress("ranking the robot among the worlds")
    coverage = judge(replay)
    explanations: tuple[Explanation, ...] = ()
    if coverage.verdict == "too narrow":
        on_progress("looking for the parameter that explains it")
        explanations = explain(replayer, replay, windows)
    return Study(
        robot=robot,
        logs=tuple(path.name for path in paths),
        replay=replay,
        coverage=coverage,
        explanations=explanations,
        shares=shares(replay),
        noise=_noise(drawn_parameters(robot, posterior), replay),
    )


def _noise(drawn: Sequence[Drawn], replay: Replay) -> tuple[NoiseCheck, ...]:
    measured = dict(zip(replay.signals, replay.noise.max(axis=0).tolist(), strict=True))
    found = []
    for item in drawn:
        name = ParameterName.parse(item.name)
        signal = f"{name.object} {name.attribute.removesuffix('_noise')}"
        if name.attribute.endswith("_noise") and signal in measured:
            low, high = item.bounds
            found.append(
                NoiseCheck(
                    name=item.name, unit=item.unit, measured=measured[signal], low=low, high=high
                )
            )
    return tuple(found)


def _words(study: Study) -> str:
    coverage = study.coverage
    by = {kind: [s.name for s in coverage.signals if s.verdict == kind]
          for kind in ("too narrow", "too wide")}  # fmt: skip
    if coverage.verdict == "too narrow":
        text = f"Too narrow: {', '.join(by['too narrow'])} of the robot leave the worlds."
        if study.explanations:
            best = study.explanations[0]
            return (
                f"{text} {best.name} would explain it: at {best.value:.3g}{_unit(best.unit)}, where"
                f" the worlds have {best.low:.3g} to {best.high:.3g}."
            )
        return (
            f"{text} No single randomized parameter explains it: widen several, or look for what"
            " is not randomized (sim2real robots NAME --parameters), calibrate, or mend the model."
        )
    if coverage.verdict == "too wide":
        main = next(iter(study.shares))
        return (
            f"Too wide: the robot stays at {coverage.distance:.0%} of a world's distance from the"
            f" middle. Most of the band is made by {main} ({study.shares[main]:.0%}): narrow it, or"
            " calibrate and train on the posterior."
        )
    if coverage.verdict == "cannot tell":
        return "Cannot tell: the worlds differ by less than the sensors' noise in these logs."
    return "About right: the robot moves as a draw of these worlds would."


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" {unit}"
