"""`sim2real deploy`: run a controller on a robot."""

import contextlib
import dataclasses
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, notes, options, print_json
from sim2real.commands.drive import BREAKS_OFF, Watch, check_end, check_seconds, drive, key_of
from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.log import LogDriver
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.loop import RunSummary
from sim2real.deploy.process import realtime, stop_on_signals
from sim2real.deploy.recording import is_whole, read_recording
from sim2real.deploy.robot_side.packets import DEFAULT_ADDRESS
from sim2real.errors import ConfigError
from sim2real.robot import Robot


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Run an exported controller on a robot, within the robot's limits.

    The file must have been made for this robot and must reproduce its golden tape here. Whatever
    happens, the robot damps at the end; a trip is reported and leaves exit code 1.
    """

    controller: Annotated[Path, tyro.conf.Positional]
    """The ONNX file that `sim2real export` wrote."""
    robot: str
    """A shipped robot, or a folder with a robot.toml."""
    address: str = DEFAULT_ADDRESS
    """Where the robot listens, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    seconds: float = 6.0
    """How long the controller commands, in each episode."""
    episodes: int = 1
    """Above 1, the robot is asked to put itself back to its start before each episode."""
    goal: Annotated[Maybe[tuple[float, ...]], tyro.conf.arg(metavar="NUMBER ...")] = None
    """What to pursue; the controller's own goal if not given."""
    shadow: Flag = False
    """Decide all and send nothing: beside another controller, or with a robot that is off."""
    log: Maybe[Path] = None
    """A recording to drive on instead of a robot, in shadow and as fast as it goes: what would this
    controller have wanted there, and what the envelope have said?"""
    record: Maybe[Path] = None
    """A folder for recordings, episode-1.mcap and on."""
    trips: Path = Path("trips")
    """A folder for the last 30 s of a run that is not recorded and trips, or is killed."""
    live: Flag = False
    """Show rate, latencies, state and margins on the terminal."""
    page: Maybe[str] = None
    """host:port of a web page with the same and a stop button, like 127.0.0.1:8080. With it a run
    that trips waits, damped, until it is re-armed there."""
    realtime: Flag = False
    """Run before all ordinary processes (SCHED_FIFO), with memory that stays in place."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Deploy, arguments)
    check_seconds(chosen.seconds)
    if chosen.episodes < 1:
        raise ConfigError(f"--episodes {chosen.episodes}: at least 1 is needed")
    robot = shipped.find_robot(chosen.robot)
    controller = Controller.load(chosen.controller, robot)
    if chosen.log is not None:
        _finish(chosen, [_on_log(chosen, controller, robot)])
        return
    paths = [_recording(chosen, episode) for episode in range(chosen.episodes)]
    summaries = []
    driver = UdpDriver(robot, chosen.address, key_of(chosen.key), watch=chosen.shadow)
    # Ctrl-C and SIGTERM count between two episodes, too: there is a robot to damp, a file to close
    with stop_on_signals() as stop, _prompt(chosen.realtime), connected(driver):
        for episode, path in enumerate(paths, start=1):
            if chosen.episodes > 1 and not chosen.shadow:
                driver.reset()
            if stop.requested:
                break
            summary = drive(
                controller, driver, seconds=chosen.seconds, goal=chosen.goal, path=path,
                title=f"episode {episode}/{chosen.episodes}", shadow=chosen.shadow,
                trips=chosen.trips, watch=Watch(live=chosen.live, page=chosen.page),
                stop=stop)  # fmt: skip
            summaries.append(summary)
            if summary.ended != "done":
                break
    _finish(chosen, summaries)
    if stop.requested == signal.SIGINT.name:  # between two episodes
        raise SystemExit(130)


def _on_log(chosen: Deploy, controller: Controller, robot: Robot) -> RunSummary:
    """Return how the controller does on what was measured once."""
    assert chosen.log is not None  # it was asked for
    driver = LogDriver(robot, read_recording(chosen.log)[0])
    if not is_whole(chosen.log):
        notes.print(f"{chosen.log} {BREAKS_OFF}", style="yellow")
    path = _recording(chosen, 0)
    with connected(driver):
        return drive(
            controller, driver, seconds=min(chosen.seconds, driver.seconds), goal=chosen.goal,
            path=path, title=chosen.log.name, shadow=True, trips=chosen.trips,
            watch=Watch(live=chosen.live), clock=driver)  # fmt: skip


def _finish(chosen: Deploy, summaries: list[RunSummary]) -> None:
    if chosen.json:
        print_json([dataclasses.asdict(summary) for summary in summaries])
    for summary in summaries:
        check_end(summary)


@contextlib.contextmanager
def _prompt(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with realtime() as refused:
        for each in refused:
            notes.print(f"not in real time: {each}", style="yellow")
        yield


def _recording(chosen: Deploy, episode: int) -> Path | None:
    """Return where an episode is recorded; raises ConfigError if something is there already."""
    if chosen.record is None:
        return None
    path = chosen.record / f"episode-{episode + 1}.mcap"
    if path.exists():
        raise ConfigError(f"{path} exists: recordings are not overwritten; choose another --record")
    return path
