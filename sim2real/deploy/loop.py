"""The control loop: OFF → DAMP → READY → RUNNING, and back to DAMP whatever happens."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike

from sim2real.control import resting_command
from sim2real.deploy.clock import Clock, Grid, MonotonicClock
from sim2real.deploy.envelope import Envelope, Verdict, check_measured, limit_command
from sim2real.deploy.link import Array, Link, Measurement
from sim2real.deploy.process import Stop, frozen_gc, stop_on_signals
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.source import CommandSource
from sim2real.errors import ControllerError
from sim2real.robot import Robot

_PATIENCE = 1.0  # s in DAMP for the measurements to become good
_FRESH = 3  # measurements in a row before anything is sent
_RAMP = 0.25  # share of a joint's largest velocity on the way home
_SETTLE = 0.5  # s at home before the source takes over, position mode
_LONGEST_RAMP = 30.0  # s


class State(IntEnum):
    """What the loop is doing."""

    OFF = 0
    DAMP = 1
    """The robot damps; the loop waits for fresh measurements."""
    READY = 2
    """Servos go home slowly from where they were measured."""
    RUNNING = 3
    """The source commands."""


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
    """Commands that the envelope changed."""
    lateness_p50: float
    """Median time from when a control step was due to its begin [s]."""
    lateness_p99: float
    """99th percentile of the same [s]."""
    dropped_rows: int
    """Rows that the recorder had to leave out."""
    counts: dict[str, int]
    """Control steps in which the source fell back on something, by what it calls it."""


def run(  # noqa: PLR0913 - each is one thing, and all but three have names
    source: CommandSource,
    link: Link,
    robot: Robot,
    *,
    seconds: float,
    goal: ArrayLike | None = None,
    recorder: Recorder | None = None,
    on_progress: Callable[[State, float], None] | None = None,
    lease: float | None = None,
    clock: Clock | None = None,
) -> RunSummary:
    """Drive the robot with the source's commands; return how it went.

    A measurement that is not finite, not fresh or beyond the limits, and a command that is not
    finite, end the run. However it ends, by itself, by Ctrl-C, SIGTERM or an exception, the robot
    damps; only another call drives it again.

    Args:
        source: an exported controller, an excitation.
        link: an open link to the robot.
        robot: the robot, whose `control_hz` is the rate of the loop.
        seconds: how long the source commands [s].
        goal: (ngoal,); the source's own if not given.
        recorder: writes every step to a file.
        on_progress: called five times a second with the state and the seconds since it began.
        lease: how long the robot holds a command, and how old a measurement may be [s]; if not
            given, a fifth of a second, or five control steps where that is longer.
        clock: another clock than the computer's.

    Raises:
        ControllerError: the goal does not fit the source.
        LinkError: the link broke.
    """
    wanted = np.array(source.goal if goal is None else goal, np.float64).reshape(-1)
    if len(wanted) != len(source.goal):
        raise ControllerError(
            f"goal {wanted.tolist()} has {len(wanted)} values; this source takes"
            f" {len(source.goal)}, like {list(source.goal)}"
        )
    if not np.isfinite(wanted).all():
        raise ControllerError(f"goal {wanted.tolist()}: its values must be finite numbers")
    lease = lease or max(0.2, 5.0 / robot.control_hz)
    loop = _Loop(source, link, robot, wanted, recorder, clock or MonotonicClock(), lease)
    try:
        with stop_on_signals() as stop, frozen_gc():
            return loop.drive(seconds, stop, on_progress)
    finally:
        link.damp()


class _Trip(Exception):  # noqa: N818 - it is how a run ends, not an error of the program
    """The run must end."""


@final
class _Loop:
    def __init__(
        self,
        source: CommandSource,
        link: Link,
        robot: Robot,
        goal: Array,
        recorder: Recorder | None,
        clock: Clock,
        lease: float,
    ):
        self.source, self.link, self.robot, self.goal = source, link, robot, goal
        self.recorder, self.clock = recorder, clock
        self.lease = lease
        self.envelope = Envelope.of(robot, max_age=lease)
        self.home = resting_command(robot)
        self.command = self.home
        self.grid = Grid(clock, robot.control_hz)
        self.state, self.since = State.OFF, clock.now()
        self.measured: Measurement | None = None
        self.fresh = self.settled = self.ticks = self.clips = 0
        self.reported = 0.0
        driven = [robot.joints[name] for name in robot.driven]
        self.servo = np.array([joint.mode == "position" for joint in driven])
        speeds = [joint.limits.velocity for joint in driven if joint.limits]
        self.ramp = _RAMP * np.array(speeds) / robot.control_hz

    def drive(
        self, seconds: float, stop: Stop, on_progress: Callable[[State, float], None] | None
    ) -> RunSummary:
        ended, reason = "done", ""
        self.enter(State.DAMP)
        try:
            while not (self.state == State.RUNNING and self.elapsed >= seconds):
                if stop.requested:
                    ended, reason = "stopped", stop.requested
                    break
                self.tick()
                if on_progress and self.elapsed - self.reported >= 0.2:
                    self.reported = self.elapsed
                    on_progress(self.state, self.elapsed)
                self.grid.wait()
        except _Trip as trip:
            ended, reason = "trip", str(trip)
        self.link.damp()
        return self.summary(ended, reason)

    def summary(self, ended: Literal["done", "trip", "stopped"], reason: str) -> RunSummary:
        seconds = self.elapsed if self.state == State.RUNNING else 0.0
        lateness = np.percentile(self.grid.lateness or [0], [50, 99]) * 1e-9
        return RunSummary(
            ended=ended,
            reason=reason,
            seconds=seconds,
            ticks=self.ticks,
            late_ticks=self.grid.skipped,
            clips=self.clips,
            lateness_p50=float(lateness[0]),
            lateness_p99=float(lateness[1]),
            dropped_rows=self.recorder.dropped if self.recorder else 0,
            counts=self.source.counts(),
        )

    @property
    def elapsed(self) -> float:
        """Seconds in this state."""
        return (self.clock.now() - self.since) * 1e-9

    def enter(self, state: State) -> None:
        self.state, self.since, self.reported = state, self.clock.now(), -1.0

    def tick(self) -> None:
        measured = self.link.read()
        if measured is None:
            return self.refuse(None, "no measurement came")
        check = check_measured(self.envelope, measured, self.measured, self.clock.now())
        if check.verdict == Verdict.TRIP:
            return self.refuse(measured, check.reason)
        new = self.measured is None or measured.seq > self.measured.seq
        self.measured = measured
        {State.DAMP: self.wait, State.READY: self.approach, State.RUNNING: self.follow}[self.state](
            measured, new
        )

    def refuse(self, measured: Measurement | None, reason: str) -> None:
        """Trip, or in DAMP wait a little: a link that was idle delivers its oldest rows first."""
        self.link.damp()
        if measured is not None:
            self.record(measured, None)
        if self.state != State.DAMP or self.elapsed > _PATIENCE:
            raise _Trip(reason)
        self.fresh = 0

    def wait(self, measured: Measurement, new: bool) -> None:
        """Damp until measurements come one after the other: DAMP."""
        self.link.damp()
        self.record(measured, None)
        self.fresh = self.fresh + 1 if new else self.fresh
        if self.fresh >= _FRESH:
            self.command = np.where(self.servo, measured.signals.position[self.envelope.index], 0.0)
            self.enter(State.READY)

    def approach(self, measured: Measurement, new: bool) -> None:
        """Go one step home, from where the robot is: READY."""
        step = np.minimum(np.maximum(self.home - self.command, -self.ramp), self.ramp)
        self.send(self.command + step, measured)
        if (np.abs(self.command - self.home) > 1e-6).any():
            if self.elapsed > _LONGEST_RAMP:
                raise _Trip(f"the robot did not get home in {_LONGEST_RAMP:g} s")
            return
        self.settled += 1
        if not self.servo.any() or self.settled > _SETTLE * self.robot.control_hz:
            self.source.reset(self.command)
            self.enter(State.RUNNING)

    def follow(self, measured: Measurement, new: bool) -> None:
        """Send what the source says, within the envelope: RUNNING."""
        if not self.ticks:
            self.since = self.clock.now()  # the run is as long as it commands
        wanted = self.source.step(measured.signals, self.goal)
        self.clips += self.send(wanted, measured) == Verdict.CLIP
        self.ticks += 1

    def send(self, wanted: Array, measured: Measurement) -> Verdict:
        command, check = limit_command(self.envelope, wanted, self.command, measured.signals)
        self.record(measured, command)
        if command is None:
            raise _Trip(check.reason)
        self.link.write(command, self.lease)
        self.command = command
        return check.verdict

    def record(self, measured: Measurement, command: Array | None) -> None:
        if self.recorder is not None:
            self.recorder.record(self.clock.now(), self.state, measured, command)
