"""`sim2real preflight`: what must hold before a controller is let on a robot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.commands.drive import key_of
from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.preflight.bench import Finding, Outcome
from sim2real.deploy.preflight.run import preflight
from sim2real.deploy.robot_side.packets import DEFAULT_ADDRESS

_STYLES = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.UNSEEN: "yellow"}


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """Try out, on the robot, all that must hold before a controller runs.

    It fires the stop, lets a lease lapse, spoils the data, nudges each joint, measures this
    computer's time, and kills a process that commands. Support the robot, and leave each joint room
    to move. The first check that fails ends it with exit code 1.
    """

    controller: Annotated[Path, tyro.conf.Positional]
    """The ONNX file that `sim2real export` wrote."""
    robot: str
    """A shipped robot, or a folder with a robot.toml."""
    address: str = DEFAULT_ADDRESS
    """Where the robot listens, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    goal: Annotated[Maybe[tuple[float, ...]], tyro.conf.arg(metavar="NUMBER ...")] = None
    """What to pursue; the controller's own goal if not given."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Preflight, arguments)
    robot = shipped.find_robot(chosen.robot)
    controller = Controller.load(chosen.controller, robot)
    found: list[Finding] = []
    key = key_of(chosen.key)
    watching = UdpDriver(robot, chosen.address, key, watch=True)
    with connected(watching), connected(UdpDriver(robot, chosen.address, key)) as driver:
        for each in preflight(controller, driver, goal=chosen.goal, watching=watching):
            found.append(each)
            if not chosen.json:
                _show(each)
    failed = any(each.outcome == Outcome.FAIL for each in found)
    if chosen.json:
        rows = [{**vars(each), "outcome": each.outcome.value} for each in found]
        print_json({"passed": not failed, "checks": rows})
    elif not failed:
        _remind(found)
    raise SystemExit(1 if failed else 0)


def _show(found: Finding) -> None:
    mark = f"{found.outcome.value:>6}"
    console.print(f"{mark}  {found.check}: {found.detail}", style=_STYLES[found.outcome])


def _remind(found: list[Finding]) -> None:
    unseen = [each.check for each in found if each.outcome == Outcome.UNSEEN]
    if unseen:
        notes.print(f"nobody could see: {'; '.join(unseen)}. Look for yourself.", style="yellow")
    notes.print("This is not functional safety: keep a hand on the robot's own emergency stop.")
