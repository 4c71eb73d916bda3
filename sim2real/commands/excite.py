"""`sim2real excite`: design the motion that tells a recipe's parameters, and play it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from sim2real import shipped
from sim2real.calibration.design import Design, design
from sim2real.calibration.problem import Problem
from sim2real.commands.calibrate import find_recipe
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.commands.drive import check_end, check_seconds, drive, key_of
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import DEFAULT_ADDRESS, UdpDriver


@dataclass(frozen=True, kw_only=True)
class Excite:
    """Design the motion that tells most about a recipe's parameters, and play it on the robot.

    Among motions within the robot's limits, in the nominal world and in likely ones, the one with
    the largest Fisher information is taken. It is played as a controller would be, with the same
    safety, and recorded: the recording is what `sim2real calibrate` reads.
    """

    recipe: Annotated[str, tyro.conf.Positional]
    """A recipe that ships with the package, or a folder with a recipe.toml."""
    output: Maybe[Path] = None
    """The recording, an MCAP file that does not exist yet; without it nothing is played."""
    address: str = DEFAULT_ADDRESS
    """Where the robot listens, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml; the recipe's robot if not given."""
    seconds: Maybe[float] = None
    """Length of the motion; the recipe's if not given."""
    candidates: int = 18
    """How many motions to compare."""
    seed: int = 0
    """Of the motions."""
    nthread: int = 2
    """Threads of the simulator."""
    from_start: Flag = False
    """Ask the robot to put itself back to its start first (test rigs and virtual robots)."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Excite, arguments)
    check_seconds(chosen.seconds)
    recipe = find_recipe(chosen.recipe)
    robot = shipped.find_robot(chosen.robot or recipe.robot)
    # what is sent is what will be recorded; runs of other days say nothing about this one
    problem = Problem(
        robot, replace(recipe, commands="sent", runs={}, known={}, choose=None),
        nthread=chosen.nthread)  # fmt: skip
    seconds = recipe.excitation.seconds if chosen.seconds is None else chosen.seconds
    with notes.status("designing") as status:
        found = design(
            problem, seconds=seconds, candidates=chosen.candidates, seed=chosen.seed,
            on_progress=status.update)  # fmt: skip
    summary = None
    if chosen.output is not None:
        with connected(UdpDriver(robot, chosen.address, key_of(chosen.key))) as driver:
            if chosen.from_start:
                driver.reset()
            summary = drive(
                found.excitation, driver, seconds=seconds, path=chosen.output, title="excite"
            )
    if chosen.json:
        told = dict(zip(found.names, found.narrowed, strict=True))
        played = None if summary is None else dataclasses.asdict(summary)
        print_json({"motion": found.excitation.origin, "narrowed": told, "played": played})
    else:
        _show(found)
    if summary is not None:
        check_end(summary)


def _show(found: Design) -> None:
    motion = found.excitation.origin
    console.print(
        f"{motion['signal']} of {motion['seconds']:g} s, {motion['band'][0]:.2f} to"
        f" {motion['band'][1]:.2f} Hz, amplitude {motion['amplitude']:.2f} of the limits"
        f" ({found.tried} motions compared, {found.refused} left the limits)"
    )
    table = Table("parameter", "share of the prior's width that is left", "", box=None)
    for name, share, verdict in zip(found.names, found.narrowed, found.verdicts, strict=True):
        table.add_row(name, f"{share:.3f}", verdict)
    console.print(table)
