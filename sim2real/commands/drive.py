"""What `deploy` and `record` share: one run of the control loop, with a progress bar."""

from collections.abc import Sequence
from pathlib import Path

from sim2real.commands.console import notes, progress_bar
from sim2real.deploy.driver import RobotDriver
from sim2real.deploy.loop import RunSummary, run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.robot_side.keys import load_key
from sim2real.deploy.source import CommandSource
from sim2real.deploy.supervisor import State
from sim2real.errors import ConfigError


def drive(
    source: CommandSource,
    driver: RobotDriver,
    *,
    seconds: float,
    path: Path | None,
    title: str,
    goal: Sequence[float] | None = None,
) -> RunSummary:
    """Return how a run went, recorded to `path` if one is given."""
    if path is not None and path.exists():
        raise ConfigError(f"{path} exists: recordings are not overwritten; choose another place")
    with progress_bar("s") as bar:
        task = bar.add_task(title, total=seconds, note="")

        def show(state: State, elapsed: float) -> None:
            bar.update(task, completed=min(elapsed, seconds), note=state.name.lower(), refresh=True)

        if path is None:
            summary = run(source, driver, seconds=seconds, goal=goal, on_progress=show)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            pursued = source.goal if goal is None else goal
            with Recorder(
                path, driver.robot, origin=source.origin, goal=tuple(pursued)
            ) as recorder:
                summary = run(
                    source, driver, seconds=seconds, goal=goal, recorder=recorder,
                    on_progress=show)  # fmt: skip
        bar.update(task, completed=min(summary.seconds, seconds), note=summary.ended, refresh=True)
    notes.print(
        f"{summary.ticks} control steps, {summary.late_ticks} skipped, lateness"
        f" {summary.lateness_p50 * 1e3:.2f} ms (median) and {summary.lateness_p99 * 1e3:.2f} ms"
        f" (99th percentile), {summary.clips} commands limited"
    )
    return summary


def key_of(path: Path | None) -> bytes | None:
    """Return the key of a link that a file holds; None without one."""
    return None if path is None else load_key(path)
