"""`sim2real replay`: decide again from a recording."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.commands.drive import BREAKS_OFF
from sim2real.deploy.controller import Controller
from sim2real.deploy.excitation import Excitation
from sim2real.deploy.recording import is_whole, read_metadata
from sim2real.deploy.replay import Replay as Outcome
from sim2real.deploy.replay import replay
from sim2real.deploy.source import CommandSource
from sim2real.errors import ConfigError
from sim2real.robot import Robot


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Decide again from a recording's measurements, and compare with what was decided then.

    On the same machine every command must come out the same, bit for bit. What does not is named
    with its step, and leaves exit code 1.
    """

    recording: Annotated[Path, tyro.conf.Positional]
    """An .mcap file that `sim2real deploy` or `record` wrote."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml; the recording's own if not given."""
    controller: Maybe[Path] = None
    """The ONNX file that commanded; not needed for an excitation."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Replay, arguments)
    metadata = read_metadata(chosen.recording)
    robot = shipped.find_robot(chosen.robot or metadata["robot"])
    outcome = replay(chosen.recording, _source(chosen, metadata["origin"], robot), robot)
    whole = is_whole(chosen.recording)
    if chosen.json:
        print_json(dataclasses.asdict(outcome) | {"whole": whole})
    else:
        _show(outcome)
    if not whole:
        notes.print(f"{chosen.recording} {BREAKS_OFF}", style="yellow")
    raise SystemExit(0 if outcome.difference is None else 1)


def _source(chosen: Replay, origin: dict[str, Any], robot: Robot) -> CommandSource:
    if origin.get("kind") == "excitation":
        return Excitation(
            robot, kind=origin["signal"], seconds=origin["seconds"], amplitude=origin["amplitude"],
            band=tuple(origin["band"]), seed=origin["seed"])  # fmt: skip
    if chosen.controller is None:
        raise ConfigError(
            f"{chosen.recording}: a controller commanded ({origin.get('file', 'unknown')}): give it"
            " with --controller"
        )
    controller = Controller.load(chosen.controller, robot)
    if controller.origin["sha256"] != origin.get("sha256"):
        raise ConfigError(
            f"{chosen.controller}: another file than the one that commanded"
            f" ({origin.get('file')}, sha256 {str(origin.get('sha256'))[:12]}…)"
        )
    return controller


def _show(outcome: Outcome) -> None:
    found = outcome.difference
    if found is None:
        console.print(f"{outcome.steps} steps, all the same bit for bit")
        return
    console.print(
        f"step {found.step}: {found.signal} is {found.replayed!r}, was {found.recorded!r}"
        f" (the {outcome.steps - 1} steps before are the same)",
        style="red",
    )
