"""`sim2real randomize`: show what a robot's randomization is, and whether it covers reality."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.table import Table

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.commands.robots import range_text
from sim2real.deploy.excitation import Excitation
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot

if TYPE_CHECKING:
    from sim2real.evaluation.coverage.study import Study

_LOGS = tyro.conf.arg(metavar="LOG ...", help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class Randomize:
    """Show what is randomized on a robot, and check it against logs before training.

    Without options: a table of the parameters with their ranges. With --show: a picture of the
    distributions and of worlds rolled out under the same commands. With --coverage: whether the
    worlds hold what a robot did: too narrow, too wide, or about right.
    """

    name: Annotated[str, tyro.conf.arg(name="robot"), tyro.conf.Positional]
    """A shipped robot, or a folder with a robot.toml."""
    show: Flag = False
    """Draw the distributions and the worlds."""
    coverage: Annotated[tuple[Path, ...], _LOGS] = ()
    """Recordings of one robot (.mcap; .csv and .npz with --recipe) to replay in the worlds."""
    recipe: Maybe[str] = None
    """The calibration's recipe that says how to read the logs and which parts of them count."""
    horizon: Maybe[float] = None
    """Seconds to predict from each measured start; chosen by what the logs can tell if not given.
    """
    posterior: Maybe[Path] = None
    """A calibration's posterior.toml: drawn instead of the robot's ranges for its parameters."""
    worlds: Maybe[int] = None
    """How many worlds; 64 to show, 240 for coverage if not given."""
    seconds: float = 6.0
    """Length of the motion that is shown."""
    amplitude: float = 0.5
    """Of that motion: share of the torque limits, or of half the way to the position limits."""
    output: Maybe[Path] = None
    """The page (.html) or picture (.png); runs/<robot>-worlds.html or -coverage.html if not given.
    """
    seed: int = 0
    """Of the worlds and of the motion."""
    nthread: int = 2
    """Threads of the simulator."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Randomize, arguments)
    robot = shipped.find_robot(chosen.name)
    posterior = None if chosen.posterior is None else Posterior.load(chosen.posterior)
    if chosen.show and chosen.coverage:
        raise ConfigError("--show and --coverage are two questions: ask one at a time")
    if chosen.coverage:
        return _coverage(chosen, robot, posterior)
    if chosen.show:
        return _show(chosen, robot, posterior)
    return _list(chosen, robot, posterior)


def _list(chosen: Randomize, robot: Robot, posterior: Posterior | None) -> None:
    from sim2real.evaluation.worlds import drawn_parameters

    rows = [_facts(item) for item in drawn_parameters(robot, posterior, seed=chosen.seed)]
    if chosen.json:
        return print_json(rows)
    table = Table(box=None)
    for title in ("parameter", "nominal", "lowest", "median", "highest", "unit", "drawn"):
        # what does not fit is folded, not cut: a name or a number without its end says nothing
        table.add_column(title, overflow="fold", no_wrap=title not in ("parameter", "drawn"))
    for row in rows:
        numbers = (f"{row[key]:.4g}" for key in ("nominal", "low", "median", "high"))
        table.add_row(row["name"], *numbers, row["unit"], row["drawn"])
    return console.print(table)


def _facts(item: Any) -> dict[str, Any]:
    low, high = item.bounds
    drawn = "posterior" if item.range is None else range_text(item.range.to_toml())
    return {
        "name": item.name, "nominal": item.nominal, "low": low, "median": item.quantile(0.5),
        "high": high, "unit": item.unit, "drawn": drawn,
    }  # fmt: skip


def _show(chosen: Randomize, robot: Robot, posterior: Posterior | None) -> None:
    from sim2real.evaluation.worlds import roll_out
    from sim2real.evaluation.worlds_report import check_suffix, write_worlds

    path = chosen.output or Path("runs") / f"{robot.name}-worlds.html"
    check_suffix(path)
    count = _at_least(chosen.worlds, 64, 2)
    motion = Excitation(
        robot, seconds=chosen.seconds, amplitude=chosen.amplitude, seed=chosen.seed,
        band=(0.4, min(1.5, robot.control_hz / 4)))  # fmt: skip
    with notes.status("rolling out worlds and drawing"):
        worlds = roll_out(
            robot, motion, worlds=count, posterior=posterior, seed=chosen.seed,
            nthread=chosen.nthread)  # fmt: skip
        write_worlds(worlds, path)
    if chosen.json:
        facts = [_facts(item) for item in worlds.parameters]
        return print_json({"picture": path, "diverged": worlds.diverged, "parameters": facts})
    return console.print(f"{count} worlds: {path.resolve()}")


def _at_least(given: int | None, default: int, least: int) -> int:
    if given is not None and given < least:
        raise ConfigError(f"--worlds {given}: at least {least} are needed")
    return default if given is None else given


def _coverage(chosen: Randomize, robot: Robot, posterior: Posterior | None) -> None:
    from sim2real.calibration.recipe import find_recipe
    from sim2real.evaluation.coverage.report import write_coverage
    from sim2real.evaluation.coverage.study import Settings, study
    from sim2real.evaluation.worlds_report import check_suffix

    path = chosen.output or Path("runs") / f"{robot.name}-coverage.html"
    check_suffix(path)
    recipe = None if chosen.recipe is None else find_recipe(chosen.recipe)
    settings = Settings(
        worlds=240 if chosen.worlds is None else chosen.worlds, horizon=chosen.horizon,
        seed=chosen.seed, nthread=chosen.nthread)  # fmt: skip
    with notes.status("replaying") as status:
        found = study(robot, chosen.coverage, recipe, posterior,
                      settings=settings, on_progress=status.update)  # fmt: skip
        status.update("drawing")
        write_coverage(found, path)
    if chosen.json:
        return print_json(found.facts() | {"picture": path})
    _show_coverage(found)
    return console.print(f"report: {path.resolve()}")


def _show_coverage(found: "Study") -> None:
    table = Table("signal", "in 5-95 %", "distance", "verdict", box=None)
    for signal in found.coverage.signals:
        share = f"{signal.inside:.0%}"
        table.add_row(signal.name, share, f"{signal.distance:.2f}", signal.verdict)
    console.print(table)
    for signal in found.coverage.signals:
        for escape in signal.escapes[:3] if signal.verdict == "too narrow" else ():
            console.print(f"{signal.name} is {escape.side} the worlds at {escape.start:.2f} to"
                          f" {escape.end:.2f} s of {found.logs[escape.log]}")  # fmt: skip
    for item in found.explanations:
        console.print(
            f"{item.name} at {item.value:.3g} {item.unit} (worlds: {item.low:.3g} to"
            f" {item.high:.3g}) would explain {item.explained:.0%} of what escapes"
        )
    for check in found.noise:
        if not check.inside:
            console.print(f"{check.name}: {check.measured:.3g} {check.unit} in the logs,"
                          f" {check.low:.3g} to {check.high:.3g} in the worlds")  # fmt: skip
    console.print(found.lead)
