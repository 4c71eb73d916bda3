"""`sim2real robots`: list the robots, or what can be randomized on one."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.table import Table
from rich.text import Text

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, options, print_json
from sim2real.parameters.names import ParameterName
from sim2real.robot import Robot
from sim2real.signals import measured_signals


@dataclass(frozen=True, kw_only=True)
class Robots:
    """List the robots that ship with the package, or show one in detail."""

    name: Annotated[Maybe[str], tyro.conf.arg(name="robot"), tyro.conf.Positional] = None
    """A shipped robot, or a folder with a robot.toml; all shipped ones if not given."""
    parameters: Flag = False
    """Show every dynamics parameter of the robot with its nominal value (needs mujoco)."""
    json: Flag = False
    """Print JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Robots, arguments)
    if chosen.name is None:
        _list(chosen.json)
    elif chosen.parameters:
        _parameters(shipped.find_robot(chosen.name), chosen.json)
    else:
        _joints(shipped.find_robot(chosen.name), chosen.json)


def _list(as_json: bool) -> None:
    robots = [shipped.find_robot(name) for name in shipped.robot_names()]
    if as_json:
        return print_json([{"name": r.name, "description": r.description} for r in robots])
    table = Table("robot", "driven", "control", "task", "", box=None)
    for robot in robots:
        joints = f"{len(robot.driven)} of {len(robot.joints)}"
        task, rate = str(robot.task["name"]), f"{robot.control_hz:g} Hz"
        table.add_row(Text(robot.name, "bold"), joints, rate, task, robot.description)
    return console.print(table)


def _joints(robot: Robot, as_json: bool) -> None:
    if as_json:
        facts = {
            name: getattr(robot, name) for name in ("name", "description", "control_hz", "task")
        }
        joints = {"joints": list(robot.joints), "driven": list(robot.driven)}
        signals = {name: vars(signal) for name, signal in measured_signals(robot).items()}
        return print_json({**facts, **joints, "signals": signals, "randomize": robot.randomize})
    console.print(Text(robot.name, "bold"), robot.description, sep=": ")
    table = Table(
        "joint", "mode", "torque limit", "velocity limit", "position", "kp", "kd", box=None
    )
    for name, joint in robot.joints.items():
        limits = joint.limits
        cells = ["", "", ""]
        if limits is not None:
            span = limits.position
            cells = [f"{limits.torque:g}", f"{limits.velocity:g}",
                     f"{span[0]:.3g} to {span[1]:.3g}" if span else ""]  # fmt: skip
        table.add_row(name, joint.mode, *cells, f"{joint.kp or '':}", f"{joint.kd or '':}")
    console.print(table)
    if robot.base is not None:
        console.print(f"free base: {robot.base.body}, with an IMU (orientation, angular velocity)")
    ranges = Table("randomized", "range", box=None)
    for name, data in robot.randomize.items():
        ranges.add_row(name, range_text(data))
    return console.print(ranges)


def _parameters(robot: Robot, as_json: bool) -> None:
    from sim2real.randomization.inventory import inventory
    from sim2real.randomization.mending import check_ranges
    from sim2real.randomization.parameters import ParameterSet
    from sim2real.randomization.terms import TERMS
    from sim2real.sim.model import compile_model

    model = compile_model(robot)
    rows = inventory(robot, model)
    parameters = ParameterSet(model, tuple(robot.joints), tuple(robot.ranges))
    check_ranges(parameters, robot.ranges, robot.impossible)  # a newcomer's first look at them
    if as_json:
        return print_json([vars(row) for row in rows])
    ranges = robot.ranges
    width = max(len(row.name) for row in rows)
    for kind, entries in itertools.groupby(rows, lambda row: _kind(row.name)):
        term = TERMS[kind]
        usual = f"; usual: {range_text(term.usual.to_toml())}" if term.usual else ""
        console.print(Text(kind, "bold"), Text(f"[{term.unit}] {term.summary}{usual}", "dim"))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(min_width=width + 2, no_wrap=True)
        table.add_column(min_width=12)
        table.add_column()
        # the numbers of one element on one line, as far as robot.toml has nothing to say of them
        for _, numbers in itertools.groupby(entries, lambda row: _line(row.name, ranges)):
            _add_line(table, list(numbers), ranges)
        console.print(table)
    return None


def _line(name: str, ranges: Mapping[str, Any]) -> str:
    """Return what is alike for parameters that stand on one line."""
    return name if name in ranges else name.partition("[")[0]


def _add_line(table: Table, numbers: Sequence[Any], ranges: Mapping[str, Any]) -> None:
    first, name = numbers[0], numbers[0].name
    if len(numbers) > 1:
        name = f"{name[:-1]}-{ParameterName.parse(numbers[-1].name).index}]"
    nominal = [f"{each.nominal:.4g}" for each in numbers]
    alike = len(set(nominal)) == 1
    span = range_text(ranges[first.name].to_toml()) if first.name in ranges else ""
    table.add_row(f"  {name}", nominal[0] if alike else " ".join(nominal), span)


def _kind(name: str) -> str:
    """Return `joint.damping` of `joint.pivot.damping`."""
    parsed = ParameterName.parse(name)
    return f"{parsed.kind}.{parsed.attribute}"


def range_text(data: Any) -> str:
    """Return `{ set = { normal = [1, 2] }, every = 0.5 }` as 'set normal [1, 2], every 0.5'."""
    if not isinstance(data, Mapping):
        return str(data)
    return ", ".join(f"{word} {range_text(value)}" for word, value in data.items())
