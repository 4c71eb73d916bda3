"""What the verbs that drive share: one run of the control loop, with a progress bar."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim2real.commands.console import notes, progress_bar
from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import RobotDriver
from sim2real.deploy.live.facts import Facts
from sim2real.deploy.live.processes import dashboard, page
from sim2real.deploy.loop import RunSummary, run
from sim2real.deploy.operator import Operator
from sim2real.deploy.process import Stop
from sim2real.deploy.recorder import MEMORY, Recorder
from sim2real.deploy.robot_side.keys import load_key
from sim2real.deploy.source import CommandSource
from sim2real.deploy.supervisor import State
from sim2real.deploy.watchdog import Watchdog
from sim2real.errors import ConfigError

BREAKS_OFF = (
    "breaks off: its recorder was killed, or the file is cut or damaged; only what stands before"
    " that was read"
)
"""What is said of a recording without an end, after its name."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a person sees of a run beside a progress bar."""

    live: bool = False
    """The dashboard on the terminal."""
    page: str | None = None
    """host:port of a page with a stop button; after a trip it waits to be re-armed."""

    @contextlib.contextmanager
    def begun(self, facts: Facts) -> Iterator[None]:
        """Show a run while the context lasts."""
        with contextlib.ExitStack() as stack:
            if self.page is not None:
                url = stack.enter_context(page(facts, self.page))
                notes.print(f"stop button: {url}", soft_wrap=True)
            if self.live:
                stack.enter_context(dashboard(facts))
            yield


def drive(  # noqa: PLR0913 - each is one thing, and all but two have names
    source: CommandSource,
    driver: RobotDriver,
    *,
    seconds: float,
    path: Path | None,
    title: str,
    goal: Sequence[float] | None = None,
    shadow: bool = False,
    trips: Path = Path("trips"),
    watch: Watch | None = None,
    stop: Stop | None = None,
    clock: Clock | None = None,
) -> RunSummary:
    """Return how a run went, recorded to `path`, or if that is None and it trips into `trips`.

    `stop` is what signals set, if the caller has more to stop than this run; `clock` another one
    than the computer's.
    """
    watch = watch or Watch()
    if path is not None and path.exists():
        raise ConfigError(f"{path} exists: recordings are not overwritten; choose another place")
    black_box = path is None
    if path is None:
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        path = trips / f"{driver.robot.name}-{name}-{os.getpid()}.mcap"
    recorder = Recorder(
        path, driver.robot, origin=source.origin, goal=source.goal if goal is None else goal,
        shadow=shadow, black_box=black_box)  # fmt: skip
    watchdog, tripped = Watchdog(), ""
    watchdog.ready()
    with progress_bar("s") as bar:
        task = bar.add_task(title, total=seconds, note="")

        def show(state: State, elapsed: float) -> None:
            nonlocal tripped
            watchdog.alive()
            before, tripped = tripped, state == State.DAMP and recorder.ring.reason
            if watch.page and tripped and not before:
                notes.print(f"tripped: {tripped}; damped until somebody re-arms it on the page, or"
                            " ends it with Ctrl-C", style="red")  # fmt: skip
            bar.update(task, completed=min(elapsed, seconds), note=state.name.lower(), refresh=True)

        with (
            recorder,
            watch.begun(Facts.of(driver.robot, recorder.ring, shadow=shadow, seen=source.seen)),
        ):
            summary = run(
                source, driver, seconds=seconds, goal=goal, recorder=recorder, shadow=shadow,
                on_progress=None if watch.live else show,
                operator=Operator(recorder.ring) if watch.page else None, stop=stop,
                clock=clock)  # fmt: skip
            if summary.ended == "trip":
                recorder.keep()
        bar.update(task, completed=min(summary.seconds, seconds), note=summary.ended, refresh=True)
    if black_box and summary.ended == "trip":
        notes.print(f"the last {MEMORY:g} s are in {path}")
    notes.print(
        f"{summary.ticks} control steps, {summary.late_ticks} skipped, lateness"
        f" {summary.lateness_p50 * 1e3:.2f} ms (median) and {summary.lateness_p99 * 1e3:.2f} ms"
        f" (99th percentile); the envelope changed {summary.clips} commands,"
        f" {summary.intervention:.2%}"
    )
    if summary.newest:
        notes.print(f"at most {summary.novelty:.0%} outside of what training met: {summary.newest}")
    if summary.counts:
        told = ", ".join(f"{count} {name}" for name, count in summary.counts.items())
        notes.print(f"of these the controller calls {told}")
    return summary


def check_seconds(seconds: float | None) -> None:
    """Refuse a time that is none; raises ConfigError. None is as long as it takes."""
    if seconds is not None and not 0.0 < seconds < math.inf:
        raise ConfigError(f"--seconds {seconds}: give a finite time above 0")


def check_end(summary: RunSummary) -> None:
    """Exit with 1 after a trip, and with 130 after Ctrl-C, so that a script goes no further."""
    if summary.ended == "trip":
        notes.print(f"tripped: {summary.reason}; the robot damps", style="red")
        raise SystemExit(1)
    if summary.reason == signal.SIGINT.name:
        notes.print("stopped; the robot damps")
        raise SystemExit(130)


def key_of(path: Path | None) -> bytes | None:
    """Return the key of a link that a file holds; None without one."""
    return None if path is None else load_key(path)
