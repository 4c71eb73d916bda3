"""`sim2real report`: write the HTML report of a folder of results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained HTML page about a folder of results, as `sim2real demo` fills it.

    The folder holds runs (<name>/job.toml), recordings (<name>-on-robot/*.mcap), a calibration
    (calibration/) and what else is there; what is missing is left out.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder of results."""
    output: Maybe[Path] = None
    """The page; report.html in the folder if not given."""
    json: Flag = False
    """Print the numbers as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from sim2real.evaluation.report import summary, write_report
    from sim2real.evaluation.results import gather

    chosen = options(Report, arguments)
    path = chosen.output or chosen.folder / "report.html"
    with notes.status("evaluating policies and drawing"):
        results = gather(chosen.folder)
        write_report(results, path)
    facts = summary(results)
    if chosen.json:
        return print_json(facts)
    _show(facts)
    return console.print(f"report: {path.resolve()}")


def _show(facts: dict[str, Any]) -> None:
    worlds = list(facts["policies"][0]["simulated"])
    columns = [f"in simulation: {world}" for world in worlds]
    table = Table("policy", *columns, "on the robot", title="return, success", box=None)
    for row in facts["policies"]:
        cells = [_value(row["simulated"][w]["return"], row["simulated"][w]["success"])
                 for w in worlds]  # fmt: skip
        on_robot = _value(row["robot_return"], row["robot_success"]) if row["episodes"] else ""
        table.add_row(row["name"], *cells, on_robot)
    console.print(table)
    if facts["parameters"]:
        table = Table("parameter", "estimate", "95 % interval", "planted", "", box=None)
        for row in facts["parameters"]:
            planted = "" if row["planted"] is None else f"{row['planted']:.4g}"
            inside = {None: "", True: "inside", False: "outside"}[row["covered"]]
            interval = f"{row['low']:.4g} to {row['high']:.4g}"
            table.add_row(row["name"], f"{row['estimate']:.4g}", interval, planted, inside)
        console.print(table)


def _value(total: float, share: float) -> str:
    return f"{total:.0f}, {share:.0%}"
