"""`sim2real gap`: where a simulator is wrong about a robot, from its logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from sim2real import shipped
from sim2real.calibration.recipe import find_recipe
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

if TYPE_CHECKING:
    from sim2real.calibration.recipe import Recipe
    from sim2real.gap.gap_map import GapMap

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Show where the simulation of a robot is wrong, from logs of it.

    The logs are replayed in the simulation from their own states. Two classifiers that cannot tell
    the one from the other mean that nothing is left to calibrate; else the page says at which
    joint, in which regime and when the simulation is wrong, and which parameter may be behind it.
    """

    robot: str
    """A shipped robot, or a folder with a robot.toml."""
    logs: tuple[Path, ...]
    """Recordings of it (.mcap; .csv and .npz with --recipe)."""
    recipe: Maybe[str] = None
    """The calibration's recipe that says how to read the logs and which parts of them count."""
    posterior: Maybe[Path] = None
    """A calibration's posterior.toml: judge the calibrated model."""
    seconds: Maybe[float] = None
    """Length of the windows to compare; 0.2, or eight control steps, if not given."""
    output: Maybe[Path] = None
    """The page (.html; its JSON goes beside it); runs/<robot>-gap.html if not given."""
    seed: int = 0
    """Of noise and classifiers."""
    nthread: int = 2
    """Threads of the simulator."""
    json: Flag = False
    """Print the report as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Gap, arguments)
    robot = shipped.find_robot(chosen.robot)
    recipe = None if chosen.recipe is None else find_recipe(chosen.recipe)
    output = chosen.output or Path("runs") / f"{robot.name}-gap.html"
    if output.suffix != ".html":
        raise ConfigError(f"--output {output}: write a page (.html); its JSON goes beside it")
    posterior = None if chosen.posterior is None else Posterior.load(chosen.posterior)
    logs = read_logs(chosen.logs, robot, recipe)
    from sim2real.evaluation.gap_report import write_gap
    from sim2real.gap.gap_map import gap_map

    with notes.status("comparing") as status:
        result = gap_map(
            robot, logs, recipe, posterior, seconds=chosen.seconds, seed=chosen.seed,
            nthread=chosen.nthread, on_progress=status.update)  # fmt: skip
    write_gap(result, output)
    if chosen.json:
        return print_json(json.loads(result.to_json()) | {"digest": result.digest})
    _show(result)
    return console.print(f"page: {output}, digest {result.digest}")


def read_logs(paths: Sequence[Path], robot: Robot, recipe: "Recipe | None") -> list[Trajectory]:
    """Return the robot's recordings at `paths`; CSV and NPZ files need a recipe.

    Raises:
        ConfigError: a file is not there, or says nothing without a recipe.
        LogError: a file is damaged, or another robot's.
    """
    from sim2real.calibration.logs import read_log
    from sim2real.calibration.recipe import Parameter, Recipe

    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ConfigError(f"no such log: {', '.join(missing)}")
    if recipe is None:
        name = f"joint.{next(iter(robot.joints))}.damping"
        recipe = Recipe(robot=robot.name, parameters={name: Parameter(prior={"set": [0.0, 1.0]})})
    return [read_log(path, recipe, robot) for path in paths]


def _show(result: "GapMap") -> None:
    from sim2real.evaluation.gap_report import ADVICE, VERDICTS

    low, high = result.interval
    console.print(
        f"AUC {result.auc:.3f} (95 % interval {low:.3f} to {high:.3f}; 0.5 is indistinguishable),"
        f" {result.windows} windows of {result.seconds:g} s"
    )
    console.print(f"{VERDICTS[result.verdict]} {ADVICE[result.verdict]}")
    if result.verdict == "none":
        return
    joints = ", ".join(f"{item.joint} ({item.drop:.3f})" for item in result.joints[:3])
    console.print(f"torque is missing at {joints}; it depends on {result.coordinates[0].name}")
    table = Table("parameter", "model", "explains most at", "explained", box=None)
    for item in result.suspects[:_SHOWN]:
        numbers = f"{item.nominal:.4g}", f"{item.value:.4g}", f"{item.closed:.0%}"
        table.add_row(item.name, *numbers)
    console.print(table)
