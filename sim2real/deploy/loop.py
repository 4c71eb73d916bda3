"""The control loop: reads, decides, writes, records, on an absolute grid of time."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike

from sim2real.deploy.clock import Clock, Grid, MonotonicClock
from sim2real.deploy.driver import Array, Command, RobotDriver
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.operator import Person
from sim2real.deploy.process import Stop, frozen_gc, stop_on_signals
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.seen import check_goal
from sim2real.deploy.source import CommandSource
from sim2real.deploy.supervisor import Decision, Event, State, Supervisor
from sim2real.errors import ControllerError


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """How a run went."""

    ended: Literal["done", "trip", "stopped"]
    reason: str
    """Why it tripped or was stopped."""
    seconds: float
    """How long the source commanded [s]."""
    ticks: int
    """Control steps in which the source commanded."""
    late_ticks: int
    """Control steps that were skipped, because the one before or its wake-up took too long."""
    clips: int
    """Of the source's commands, those that the envelope changed."""
    intervention: float
    """Their share: in training, a policy's `Guard` counts the same."""
    lateness_p50: float
    """Median time from when a control step was due to its begin [s]."""
    lateness_p99: float
    """99th percentile of the same [s]."""
    novelty: float
    """How far outside of what the source met in training the robot was at most, in widths of that
    range; 0 if nobody noted it."""
    newest: str
    """Which measured number that was."""
    dropped_rows: int
    """Rows that the recorder had to leave out."""
    counts: dict[str, int]
    """Control steps in which the source fell back on something, by what it calls it."""


def run(  # noqa: PLR0913 - each is one thing, and all but two have names
    source: CommandSource,
    driver: RobotDriver,
    *,
    seconds: float,
    goal: ArrayLike | None = None,
    recorder: Recorder | None = None,
    on_progress: Callable[[State, float], None] | None = None,
    envelope: Envelope | None = None,
    shadow: bool = False,
    operator: Person | None = None,
    clock: Clock | None = None,
    stop: Stop | None = None,
) -> RunSummary:
    """Drive the robot with the source's commands; return how it went.

    A measurement that cannot be believed, and a command that is not finite, end the run. However
    it ends, by itself, by Ctrl-C, SIGTERM or an exception, the robot damps; only another call
    drives it again.

    Args:
        source: an exported controller, an excitation.
        driver: an open driver; its robot's `control_hz` is the rate of the loop.
        seconds: how long the source commands [s].
        goal: (ngoal,); the source's own if not given.
        recorder: writes every step to a file.
        on_progress: called at each change of the state, and five times a second, with the state and
            for how long the source has commanded [s].
        envelope: another envelope than the robot's own.
        shadow: decide all, send nothing; the source commands at once, for there is no way home.
        operator: who may stop the run and, after a trip, re-arm it; without one a trip ends it.
        clock: another clock than the computer's.
        stop: what signals set, if the caller has more to stop than this run; without it, they end
            this run and whatever comes after it is stopped by another one.

    Raises:
        ControllerError: the goal does not fit the source, or is outside of what it was trained on.
        LinkError: the connection broke.
    """
    envelope = envelope or Envelope.of(driver.robot)
    supervisor = Supervisor(source, driver.robot, envelope=envelope, shadow=shadow)
    pursued = goal_of(source, goal)
    try:
        heard = stop_on_signals() if stop is None else contextlib.nullcontext(stop)
        with heard as asked, frozen_gc():
            # its time begins here: a collection of all that was imported takes a while
            loop = _Loop(supervisor, driver, pursued, recorder, clock or MonotonicClock())
            loop.operator = operator
            return loop.drive(seconds, asked, on_progress)
    finally:
        if not shadow:
            driver.stop()


def goal_of(source: CommandSource, goal: ArrayLike | None) -> Array:
    """Return the goal (ngoal,) to pursue, the source's own if none is given.

    Raises:
        ControllerError: it does not fit the source, or is outside of what it was trained on.
    """
    wanted = np.array(source.goal if goal is None else goal, np.float64).reshape(-1)
    if len(wanted) and not len(source.goal):
        raise ControllerError(f"goal {wanted.tolist()}: this source pursues none: give no goal")
    if len(wanted) != len(source.goal):
        raise ControllerError(
            f"goal {wanted.tolist()} has {len(wanted)} values; this source takes"
            f" {len(source.goal)}, like {list(source.goal)}"
        )
    if not np.isfinite(wanted).all():
        raise ControllerError(f"goal {wanted.tolist()}: its values must be finite numbers")
    check_goal(source.seen, wanted)
    return wanted


@final
class _Loop:
    def __init__(
        self,
        supervisor: Supervisor,
        driver: RobotDriver,
        goal: Array,
        recorder: Recorder | None,
        clock: Clock,
    ):
        self.supervisor, self.driver, self.goal = supervisor, driver, goal
        self.recorder, self.clock = recorder, clock
        self.grid = Grid(clock, driver.robot.control_hz)
        self.operator: Person | None = None
        self.ticks = self.clips = 0
        self.reported, self.shown = 0, State.OFF

    def drive(
        self, seconds: float, stop: Stop, on_progress: Callable[[State, float], None] | None
    ) -> RunSummary:
        """Turn until the source has commanded for so long, or something ends it."""
        supervisor = self.supervisor
        while supervisor.tripped or not (supervisor.began and self.commanded() >= seconds):
            if stop.requested:
                tripped = supervisor.tripped
                return self.summary("trip" if tripped else "stopped", tripped or stop.requested)
            self.tick()
            if supervisor.tripped and self.operator is None:
                return self.summary("trip", supervisor.tripped)
            if on_progress:
                self.report(on_progress)
            self.grid.wait()
        return self.summary("done", "")

    def tick(self) -> None:
        """Do one control step."""
        measured = self.driver.read()
        now = self.clock.now()
        event = Event.NONE if self.operator is None else self.operator.poll()
        decision = self.supervisor.step(now, measured, self.goal, event)
        self.send(now, decision)
        if self.recorder is not None and measured is not None:
            self.recorder.record(now, measured, decision, self.goal, event)
        if decision.wanted is not None:
            self.ticks += 1
            self.clips += decision.check.verdict == Verdict.CLIP

    def send(self, now: int, decision: Decision) -> None:
        until = self.supervisor.leased.until
        if self.supervisor.shadow:
            return
        if decision.command is None or until is None:
            self.driver.stop()
            return
        command = Command(
            seq=now, valid_until=until, target=decision.command, stiffness=decision.stiffness
        )
        self.driver.write(command)

    def report(self, on_progress: Callable[[State, float], None]) -> None:
        """Tell of a new state, and five times a second of the time."""
        now, state = self.clock.now(), self.supervisor.state
        if state != self.shown or now - self.reported >= 200_000_000:
            self.reported, self.shown = now, state
            on_progress(state, self.commanded())

    def commanded(self) -> float:
        """Return for how long the source has commanded [s]."""
        began = self.supervisor.began
        return 0.0 if began is None else max(0.0, (self.clock.now() - began) * 1e-9)

    def summary(self, ended: Literal["done", "trip", "stopped"], reason: str) -> RunSummary:
        """Return how it went."""
        lateness = np.percentile(self.grid.lateness or [0], [50, 99]) * 1e-9
        return RunSummary(
            ended=ended,
            reason=reason,
            seconds=self.commanded(),
            ticks=self.ticks,
            late_ticks=self.grid.skipped,
            clips=self.clips,
            intervention=self.clips / max(self.ticks, 1),
            lateness_p50=float(lateness[0]),
            lateness_p99=float(lateness[1]),
            novelty=self.supervisor.novelty.most,
            newest=self.supervisor.novelty.name,
            dropped_rows=self.recorder.dropped if self.recorder else 0,
            counts=self.supervisor.source.counts(),
        )
