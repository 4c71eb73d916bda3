"""`sim2real log`: show what is in a recorded file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from sim2real import config, shipped
from sim2real.calibration.logs.contents import Item, contents
from sim2real.calibration.logs.mcap_bag import is_recording
from sim2real.calibration.logs.read import read_rows
from sim2real.calibration.plausibility.check import error_text, findings
from sim2real.calibration.survey import Clock, Survey, survey
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.errors import LogError
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory


@dataclass(frozen=True, kw_only=True)
class Log:
    """Show what is in a log: rate, gaps, jitter, ranges, saturations, frozen sensors.

    A recording of this package tells its robot and units. Of another file, a recipe says what its
    columns or topics mean; without one, they are listed as they are, for you to write it.

    What speaks against the log is an error at the end: degrees read as radians, signs, swapped
    joints, dead sensors, drifting clocks.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """CSV, NPZ, HDF5, Parquet, JSON, MCAP, a ROS 1 bag, or the folder of a rosbag2."""
    recipe: Maybe[str] = None
    """A recipe that ships with the package, or a folder with a recipe.toml."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml; the recipe's or the recording's if not
    given."""
    picture: Maybe[Path] = None
    """A PNG file to draw."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Log, arguments)
    if chosen.recipe is None and not is_recording(chosen.file):
        return _show_contents(chosen)
    with notes.status(f"reading {chosen.file.name}"):
        log, robot, accept = _read(chosen)
        found = survey(log, robot)
        problems = findings(log, robot, accept)
    if chosen.picture is not None:
        _draw(chosen.picture, log, found, robot)
    if chosen.json:
        facts = {"facts": log.facts, "problems": config.to_dict(problems)}
        print_json(config.to_dict(found) | facts)
    else:
        _show(found)
        if chosen.picture is not None:
            console.print(f"picture: {chosen.picture}")
    if problems:
        raise LogError(error_text(log, problems))
    return None


def _read(chosen: Log) -> tuple[Trajectory, Robot, Collection[str]]:
    from sim2real.calibration.recipe import find_recipe

    recipe = None if chosen.recipe is None else find_recipe(chosen.recipe)
    robot = chosen.robot or (recipe.robot if recipe else _recorded_robot(chosen.file))
    found = shipped.find_robot(robot)
    accept = recipe.logs.accept if recipe else ()
    return read_rows(chosen.file, recipe, found), found, accept


def _recorded_robot(path: Path) -> str:
    from sim2real.deploy.recording import read_metadata

    name = str(read_metadata(path).get("robot"))
    if name not in shipped.robot_names():
        raise LogError(f"{path}: recorded on {name!r}, which does not ship with the package: give"
                       " its folder as --robot")  # fmt: skip
    return name


def _show_contents(chosen: Log) -> None:
    with notes.status(f"reading {chosen.file.name}"):
        items = contents(chosen.file)
    if chosen.json:
        print_json({"source": str(chosen.file), "contents": config.to_dict(items)})
        return
    table = Table("name", "index", "type", "rows", "from", "to", box=None)
    for item in items:
        table.add_row(item.name, "" if item.index is None else str(item.index), item.type,
                      f"{item.rows:,}", *_range_texts(item))  # fmt: skip
    console.print(table)
    console.print(
        "units are not known: a recipe says what the columns or topics mean (docs/logs.md); then"
        " sim2real log FILE --recipe FOLDER tells more"
    )


def _range_texts(item: Item) -> tuple[str, str]:
    return ("", "") if item.range is None else (f"{item.range[0]:.6g}", f"{item.range[1]:.6g}")


def _show(found: Survey) -> None:
    console.print(found.source)
    console.print(f"measurements: {_clock(found.measurements)}")
    commands = "right after each measurement"
    console.print(f"commands: {_clock(found.commands) if found.commands else commands}")
    table = Table("joint", "position", "velocity", "command", "torque", "resolution", "at a limit",
                  "frozen", box=None)  # fmt: skip
    for row in found.channels:
        ranges = (row.position, row.velocity, row.command, row.torque)
        texts = ["" if r is None else f"{r[0]:.4g} to {r[1]:.4g}" for r in ranges]
        table.add_row(row.joint, *texts, f"{row.resolution:.2g}", f"{row.saturated:.1%}",
                      f"{row.frozen:.1%}")  # fmt: skip
    console.print(table)
    console.print("in SI units: rad or m, rad/s or m/s, Nm or N")
    for line in _stretch_lines(found):
        console.print(line)


def _clock(clock: Clock) -> str:
    gaps = "no gaps" if not clock.gaps else f"{clock.gaps} gaps, the longest {clock.longest:.3g} s"
    return (f"{clock.rows:,} rows in {clock.seconds:.4g} s at {clock.rate:.4g} Hz, jitter"
            f" {clock.jitter * 1e3:.2g} ms, {gaps}")  # fmt: skip


def _stretch_lines(found: Survey) -> list[str]:
    """Return a line for each kind and joint, with the longest stretches."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for stretch in found.stretches:
        groups.setdefault((stretch.kind, stretch.joint), []).append(stretch)
    lines = []
    for (kind, joint), stretches in groups.items():
        longest = sorted(stretches, key=lambda s: s.begin - s.end)[:3]
        shown = ", ".join(f"{s.begin:.2f} to {s.end:.2f} s" for s in longest)
        count = f"{len(stretches)} stretches, the longest " if len(stretches) > 3 else ""
        lines.append(f"{kind}{f' ({joint})' if joint else ''}: {count}{shown}")
    return lines


def _draw(path: Path, log: Trajectory, found: Survey, robot: Robot) -> None:
    from sim2real.evaluation.drawing import png
    from sim2real.evaluation.log_picture import pictures

    config.write_atomically(path, png(pictures(log, found, robot), Path(log.source).name))
