"""`sim2real calibrate`: estimate dynamics parameters from recorded logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from sim2real import shipped
from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.logs.bags import is_bag
from sim2real.calibration.recipe import Recipe, find_recipe
from sim2real.calibration.result import Calibration, publish
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.errors import ConfigError

_LOGS = tyro.conf.arg(metavar="LOG ...", help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Estimate a robot's dynamics parameters, with uncertainty, from recorded logs.

    The recipe says what to fit and how to read the logs. The posterior that results is what
    `sim2real train --posterior` draws from.
    """

    recipe: Annotated[str, tyro.conf.Positional]
    """A recipe that ships with the package, or a folder with a recipe.toml."""
    logs: Annotated[tuple[Path, ...], _LOGS, tyro.conf.Positional]
    """Log files to fit; or one folder, of which the recipe says which files to fit and hold out."""
    held_out: Annotated[tuple[Path, ...], _LOGS] = ()
    """Log files that are only predicted, never fitted."""
    output: Maybe[Path] = None
    """A folder for posterior.toml and calibration.json; runs/<robot>-calibration if not given."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml; the recipe's robot if not given."""
    publish: Maybe[str] = None
    """The robot's unit: write to calibration/<robot>/<unit>/ as well, if it passes the gate."""
    widen: Flag = False
    """Widen the posterior until it holds the held-out logs, nowhere beyond the prior."""
    report: bool = True
    """Write calibration.html, too; it needs matplotlib."""
    starts: Maybe[int] = None
    """Fits from as many starting points, of which the best is taken; as the recipe says if not
    given. Friction and gears make several optima."""
    generations: Maybe[int] = None
    """Of a global search by CMA-ES before them; as the recipe says if not given."""
    seed: int = 0
    """Of the fit's starting points."""
    nthread: int = 2
    """Threads of the simulator."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Calibrate, arguments)
    recipe = _recipe(chosen)
    robot = shipped.find_robot(chosen.robot or recipe.robot)
    fit_logs, held_out = _logs(chosen, recipe)
    output = chosen.output or Path("runs") / f"{robot.name}-calibration"
    with notes.status("calibrating") as status:
        result = calibrate(
            robot, recipe, fit_logs, held_out, seed=chosen.seed, nthread=chosen.nthread,
            on_progress=status.update)  # fmt: skip
    result.save(output)
    if chosen.report:
        _write_report(output / "calibration.html", result)
    published = None if chosen.publish is None else publish(
        result, Path("calibration"), chosen.publish)  # fmt: skip
    if chosen.json:
        print_json(json.loads((output / "calibration.json").read_text()))
        return
    _show(result)
    console.print(f"posterior: {output / 'posterior.toml'}")
    if chosen.report:
        console.print(f"report: {output / 'calibration.html'}")
    if published is not None:
        console.print(f"published: {published}")


def _recipe(chosen: Calibrate) -> Recipe:
    recipe = find_recipe(chosen.recipe)
    told = {"starts": chosen.starts, "generations": chosen.generations}
    asked = {name: number for name, number in told.items() if number is not None}
    search = replace(recipe.search, **asked)
    return replace(recipe, search=search, widen=recipe.widen or chosen.widen)


def _write_report(path: Path, result: Calibration) -> None:
    try:
        from sim2real.evaluation.calibration_report import write_calibration_report
    except ModuleNotFoundError as error:
        notes.print(f"no report: {error.name} is not installed: pip install sim2real[calibration]")
        return
    write_calibration_report(path, result)


def _logs(chosen: Calibrate, recipe: Recipe) -> tuple[list[Path], list[Path]]:
    if not chosen.logs:
        raise ConfigError("no logs to fit: name log files, or one folder of them")
    if len(chosen.logs) == 1 and chosen.logs[0].is_dir() and not is_bag(chosen.logs[0]):
        folder = chosen.logs[0]
        return recipe.fit_files(folder), list(chosen.held_out) or recipe.held_out_files(folder)
    missing = [str(path) for path in (*chosen.logs, *chosen.held_out) if not path.exists()]
    if missing:
        raise ConfigError(f"no such log: {', '.join(missing)}")
    return list(chosen.logs), list(chosen.held_out)


def _show(result: Calibration) -> None:
    table = Table("parameter", "nominal", "estimate", "95 % interval", "", box=None)
    for row in result.estimates:
        interval = f"{row.interval[0]:.4g} to {row.interval[1]:.4g}"
        verdict = row.verdict if row.identified else "not identified"
        table.add_row(row.name, f"{row.nominal:.4g}", f"{row.value:.4g}", interval, verdict)
    console.print(table)
    for row in result.estimates:
        if not row.identified:
            console.print(f"{row.name}: {row.verdict.removeprefix('not identified: ')}")
    errors = Table("open-loop error", "windows", "nominal", "calibrated", "", box=None)
    for kind, rows in (("fitted logs", result.fitted), ("held-out logs", result.held_out)):
        for row in rows:
            cells = (f"{row.nominal:.4f} rad", f"{row.calibrated:.4f} rad", kind)
            errors.add_row(f"RMSE after {row.seconds:g} s", str(row.windows), *cells)
    console.print(errors)
    for band in result.coverage[-1:]:
        console.print(
            f"a 90 % band covers {band.covered:.0%} of the samples, mean width {band.width:.3g} rad"
        )
    if result.widened > 1.0:
        console.print(f"the posterior was widened {result.widened:.3g} times in variance to do so")
    for push in result.disturbances:
        console.print(
            f"pushed: {push.log} at {push.joint} from {push.begin:.2f} to {push.end:.2f} s,"
            f" {push.torque:.3g} Nm: left out"
        )
    dropped = ", ".join(f"{count} {reason}" for reason, count in result.dropped.items())
    console.print(
        f"{result.windows} windows fitted in {result.fit_seconds:.1f} s"
        + (f"; left out: {dropped}" if dropped else "")
    )
    if result.held_out and not result.improves:
        console.print(
            "[yellow]warning[/yellow]: on the held-out logs it does not beat the nominal model at"
            " every horizon: do not train on it before you know why"
        )
