"""`sim2real calibrate`: estimate dynamics parameters from recorded logs."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Column, Table

from sim2real import shipped
from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.logs.bags import is_bag
from sim2real.calibration.recipe import Recipe, find_recipe
from sim2real.calibration.result import Calibration, publish, require_unit
from sim2real.calibration.segments import WORDS
from sim2real.commands.console import (
    Flag,
    Maybe,
    console,
    notes,
    options,
    passing_bar,
    print_json,
)
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
    files: Annotated[tuple[Path, ...], _LOGS, tyro.conf.Positional] = ()
    """Log files to fit; or one folder, of which the recipe says which files to fit and hold out."""
    logs: Annotated[tuple[Path, ...], _LOGS] = ()
    """The same, as an option."""
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
    _require_places(output, chosen.publish)
    with passing_bar() as draw:
        result = calibrate(
            robot, recipe, fit_logs, held_out, seed=chosen.seed, nthread=chosen.nthread,
            on_progress=draw)  # fmt: skip
    result.save(output)
    if chosen.report:
        _write_report(output / "calibration.html", result)
    if chosen.json:
        print_json(json.loads((output / "calibration.json").read_text()))
    else:
        _show(result)
        console.print(f"posterior: {output / 'posterior.toml'}")
        if chosen.report:
            console.print(f"report: {output / 'calibration.html'}")
    if chosen.publish is not None:
        published = publish(result, Path("calibration"), chosen.publish)
        (notes if chosen.json else console).print(f"published: {published}")


def _require_places(output: Path, unit: str | None) -> None:
    """Refuse what could not be written at the end before anything is computed."""
    if unit is not None:
        require_unit(unit)
    for place in (output, *output.parents):
        if place.exists():
            if not place.is_dir():
                raise ConfigError(f"--output {output}: {place} is a file: give a folder")
            if not os.access(place, os.W_OK):
                raise ConfigError(f"--output {output}: {place} may not be written: give another")
            return


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
    logs = [*chosen.files, *chosen.logs]
    if not logs:
        raise ConfigError("no logs to fit: name log files, or one folder of them")
    if len(logs) == 1 and logs[0].is_dir() and not is_bag(logs[0]):
        folder = logs[0]
        return recipe.fit_files(folder), list(chosen.held_out) or recipe.held_out_files(folder)
    missing = [str(path) for path in (*logs, *chosen.held_out) if not path.exists()]
    if missing:
        raise ConfigError(f"no such log: {', '.join(missing)}")
    return logs, list(chosen.held_out)


def _show(result: Calibration) -> None:
    _show_parameters(result)
    _show_errors(result)
    _show_left_out(result)
    if result.held_out_logs and not result.improves:
        console.print(
            f"warning: {'; '.join(result.objections)}: do not train on it before you know why",
            style="yellow",
        )


def _show_parameters(result: Calibration) -> None:
    # what does not fit is folded, not cut: a name without its end says nothing
    table = Table(Column("parameter", overflow="fold"), box=None)
    for title in ("nominal", "estimate", "95 % interval", ""):
        table.add_column(title, no_wrap=True)
    for row in result.estimates:
        interval = f"{row.interval[0]:.4g} to {row.interval[1]:.4g}"
        verdict = row.verdict if row.identified else "not identified"
        table.add_row(row.name, f"{row.nominal:.4g}", f"{row.value:.4g}", interval, verdict)
    console.print(table)
    for row in result.estimates:
        if not row.identified:
            console.print(f"{row.name}: {row.verdict.removeprefix('not identified: ')}")


def _show_errors(result: Calibration) -> None:
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


def _show_left_out(result: Calibration) -> None:
    for push in result.disturbances:
        console.print(
            f"pushed: {Path(push.log).name} at {push.joint} from {push.begin:.2f} to"
            f" {push.end:.2f} s, {push.torque:.3g} Nm: left out"
        )
    for part in result.segments:
        place = f"{Path(part.log).name}{' at ' + part.joint if part.joint else ''}"
        end = "replayed so" if part.fitted else "left out"
        console.print(f"{WORDS[part.kind]}: {place} for {part.seconds:.2f} s: {end}")
    dropped = ", ".join(f"{count} {reason}" for reason, count in result.dropped.items())
    console.print(
        f"{result.windows} windows fitted in {result.fit_seconds:.1f} s"
        + (f"; left out: {dropped}" if dropped else "")
    )
