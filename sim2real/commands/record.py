"""`sim2real record`: play an excitation on a robot and record it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, options, print_json
from sim2real.commands.drive import check_end, check_seconds, drive, key_of
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.excitation import Excitation, Kind
from sim2real.deploy.robot_side.packets import DEFAULT_ADDRESS


@dataclass(frozen=True, kw_only=True)
class Record:
    """Play a designed motion on a robot, within its limits, and record what it does.

    The recording is what `sim2real calibrate` reads.
    """

    robot: Annotated[str, tyro.conf.Positional]
    """A shipped robot, or a folder with a robot.toml."""
    output: Path
    """The recording, an MCAP file that does not exist yet."""
    address: str = DEFAULT_ADDRESS
    """Where the robot listens, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    signal: Kind = "multisine"
    """The shape of the motion."""
    seconds: float = 20.0
    """Its length."""
    amplitude: float = 0.8
    """Largest command as a share of the torque limit, or of half the way to a position limit."""
    band: tuple[float, float] = (0.2, 1.5)
    """Lowest and highest frequency [Hz]."""
    seed: int = 0
    """Of the motion: another seed, another motion."""
    from_start: Flag = False
    """Ask the robot to put itself back to its start first (test rigs and virtual robots)."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Record, arguments)
    check_seconds(chosen.seconds)
    robot = shipped.find_robot(chosen.robot)
    motion = Excitation(
        robot, kind=chosen.signal, seconds=chosen.seconds, amplitude=chosen.amplitude,
        band=chosen.band, seed=chosen.seed)  # fmt: skip
    with connected(UdpDriver(robot, chosen.address, key_of(chosen.key))) as driver:
        if chosen.from_start:
            driver.reset()
        summary = drive(motion, driver, seconds=chosen.seconds, path=chosen.output, title="excite")
    if chosen.json:
        print_json(dataclasses.asdict(summary))
    check_end(summary)
