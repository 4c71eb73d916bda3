"""Which state a run is in and what is sent: decisions without input, output or a clock.

What a step decides follows from the steps before and its arguments alone, so a recording that
holds the arguments reproduces the decisions bit for bit.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np

from sim2real.control import resting_command
from sim2real.deploy.driver import Array, Measurement
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.commands import limit_command
from sim2real.deploy.envelope.stream import Stream
from sim2real.deploy.envelope.verdict import OK, Check, Verdict
from sim2real.deploy.leased import Leased
from sim2real.deploy.seen import Novelty
from sim2real.deploy.source import CommandSource
from sim2real.robot import Robot

_PATIENCE = 1.0  # s in DAMP for the measurements to become good
_FRESH = 3  # measurements in a row before anything is sent
_STIFFEN = 0.5  # s in which servos get their gains, at the pose that was measured
_RAMP = 0.25  # share of a joint's largest velocity on the way home
_SETTLE = 0.5  # s at home before the source takes over; a source that warms up does so here
_BLEND = 0.5  # s in which servos go over from home to what the source wants
_LONGEST_RAMP = 30.0  # s


class State(IntEnum):
    """What a run is doing."""

    OFF = 0
    DAMP = 1
    """The robot damps; the run waits for fresh measurements, or after a trip for `rearm`."""
    READY = 2
    """Servos stiffen where they were measured and go home slowly; the source may watch."""
    RUNNING = 3
    """The source commands."""


class Event(IntEnum):
    """What a person did."""

    NONE = 0
    STOP = 1
    REARM = 2


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a control step came to."""

    state: State
    command: Array | None = None
    """What is sent (ncommand,) [Nm, or rad]; None: the robot damps."""
    stiffness: float = 1.0
    """Share of the servos' kp."""
    wanted: Array | None = None
    """What the source asked for (ncommand,); None if it was not asked."""
    check: Check = OK


@final
class Supervisor:
    """OFF → DAMP → READY → RUNNING; a trip goes back to DAMP and latches."""

    def __init__(
        self, source: CommandSource, robot: Robot, *, envelope: Envelope, shadow: bool = False
    ):
        """Begin in OFF.

        Args:
            source: what is asked for commands.
            robot: the robot.
            envelope: its envelope.
            shadow: whether nothing is sent, so that the robot does not come home in READY.
        """
        self.source, self.robot, self.envelope, self.shadow = source, robot, envelope, shadow
        self.stream = Stream(envelope)
        self.leased = Leased(envelope.max_age)
        self.state, self.since = State.OFF, 0
        self.tripped = ""
        """Why the run tripped; empty while it has not."""
        self.began: int | None = None
        """When the source began to command [ns]."""
        self.novelty = Novelty(source.seen, envelope)
        """How far outside of what the source met in training the robot was while it commanded."""
        self._home = resting_command(robot)
        self._command = self._held = self._home
        self._servo = envelope.servos.kp > 0.0
        self._step = _RAMP * envelope.velocity * envelope.period
        self._fresh = self._late = 0
        self._arrived: int | None = None
        """When the robot was home."""
        self._before: int | None = None

    def rearm(self) -> None:
        """Leave a trip: the next step begins as at the start."""
        self.tripped, self.state, self._fresh, self.began = "", State.OFF, 0, None
        self.stream.forget()
        self.leased.forget()

    def trip(self, now: int, reason: str) -> Decision:
        """Damp, and stay so until `rearm`."""
        self.tripped = self.tripped or reason
        self._enter(State.DAMP, now)
        return Decision(state=State.DAMP, check=Check(Verdict.TRIP, reason))

    def step(
        self, now: int, measured: Measurement | None, goal: Array, event: Event = Event.NONE
    ) -> Decision:
        """Return what is to be done.

        Args:
            now: the time of this computer's clock [ns].
            measured: the newest measurement, None if there was none yet.
            goal: what the source pursues (ngoal,).
            event: what a person did since the step before.
        """
        if event == Event.STOP:
            return self.trip(now, "somebody stopped it")
        if event == Event.REARM and self.tripped:
            self.rearm()
        if self.state == State.OFF:
            self._enter(State.DAMP, now)
        if self.tripped:
            return Decision(state=State.DAMP)
        known = self.stream.last
        check = self._believed(now, measured)
        if check.verdict == Verdict.TRIP:
            return self._refuse(now, check)
        last = self.stream.last
        assert last is not None  # it was believed
        if self.state == State.DAMP:
            return self._wait(now, last, new=known is None or last.seq > known.seq)
        if self.state == State.READY:
            return self._approach(now, last, goal)
        return self._follow(now, last, goal)

    def _believed(self, now: int, measured: Measurement | None) -> Check:
        if measured is None:
            return Check(Verdict.TRIP, "no measurement came")
        check = self.stream.check(measured, now)
        if check.verdict == Verdict.OK:
            check = self._punctual(now)
        last = self.stream.last
        return self.leased.check(last) if check.verdict == Verdict.OK and last else check

    def _punctual(self, now: int) -> Check:
        """Return a TRIP if many steps in a row came late."""
        before, self._before = self._before, now
        if before is None or self.state == State.DAMP:
            return OK
        late = not (now - before) * 1e-9 <= 1.5 * self.envelope.period
        self._late = self._late + 1 if late else 0
        if self._late > self.envelope.overruns:
            return Check(Verdict.TRIP, f"{self._late} control steps in a row came late")
        return OK

    def _refuse(self, now: int, check: Check) -> Decision:
        """Trip, or in DAMP wait a little: a link that was idle delivers its oldest rows first."""
        if self.state != State.DAMP or self._elapsed(now) > _PATIENCE:
            return self.trip(now, check.reason)
        self._fresh = 0
        self.stream.forget()
        return Decision(state=State.DAMP, check=check)

    def _wait(self, now: int, measured: Measurement, new: bool) -> Decision:
        """Damp until measurements come one after the other: DAMP."""
        self._fresh += new
        if self._fresh >= _FRESH:
            position = measured.signals.position[self.envelope.servos.index]
            self._command = self._held = np.where(self._servo, position, 0.0)
            self._arrived = None
            if self.source.warms_up or self.shadow:
                self.source.reset(self._command)
            if self.shadow:
                self._run(now)
            else:
                self._enter(State.READY, now)
        return Decision(state=State.DAMP)

    def _approach(self, now: int, measured: Measurement, goal: Array) -> Decision:
        """Stiffen, go one step home, settle: READY."""
        stiffness = 1.0
        if self._servo.any():
            stiffness = min(1.0, self._elapsed(now) / _STIFFEN)
        step = self._home - self._command
        if stiffness < 1.0:
            step = np.zeros_like(step)
        step = np.minimum(np.maximum(step, -self._step), self._step)
        wanted = self.source.step(measured.signals, goal) if self.source.warms_up else None
        decision = self._send(now, self._command + step, measured, stiffness=stiffness)
        if decision.command is None:
            return decision
        if wanted is not None and not np.isfinite(wanted).all():
            return self.trip(now, f"the source watches, and says {wanted}: not finite")
        if (np.abs(self._command - self._home) > 1e-6).any() or stiffness < 1.0:
            if self._elapsed(now) > _LONGEST_RAMP:
                return self.trip(now, f"the robot did not get home in {_LONGEST_RAMP:g} s")
            return decision
        self._arrived = now if self._arrived is None else self._arrived
        settles = self._servo.any() or self.source.warms_up
        if not settles or (now - self._arrived) * 1e-9 >= _SETTLE:
            self._held = self._command
            if not self.source.warms_up:
                self.source.reset(self._command)
            self._run(now)
        return decision

    def _follow(self, now: int, measured: Measurement, goal: Array) -> Decision:
        """Send what the source says, within the envelope: RUNNING."""
        away = self.novelty.of(measured.signals)
        if not away <= self.envelope.novelty:
            most = self.envelope.novelty
            return self.trip(
                now,
                f"{self.novelty.name} is {away:.3g} widths outside of the range that training met,"
                f" at most {most:g} are allowed",
            )
        wanted = self.source.step(measured.signals, goal)
        return self._send(now, self._blended(wanted, now), measured, wanted=wanted)

    def _blended(self, wanted: Array, now: int) -> Array:
        """Return servos' targets on the way from where they were held; torques as they are.

        There is nothing between a torque and a pose, and half the torque holds no robot up.
        """
        share = max(0.0, self._elapsed(now) / _BLEND)
        if self.shadow or not self.source.blended or share >= 1.0:
            return wanted
        if wanted.shape != self._held.shape or not np.isfinite(wanted).all():
            return wanted  # which the envelope refuses
        return np.where(self._servo, self._held + share * (wanted - self._held), wanted)

    def _send(
        self, now: int, command: Array, measured: Measurement, *,
        stiffness: float = 1.0, wanted: Array | None = None,
    ) -> Decision:  # fmt: skip
        sent, check = limit_command(self.envelope, command, self._command, measured.signals)
        if sent is None:
            return self.trip(now, check.reason)
        self._command = sent
        self.source.sent(sent)
        if not self.shadow:
            self.leased.renew(measured)
        return Decision(
            state=self.state, command=sent, stiffness=stiffness, wanted=wanted, check=check
        )

    def _elapsed(self, now: int) -> float:
        return (now - self.since) * 1e-9

    def _run(self, now: int) -> None:
        """Let the source command from the next step on."""
        self.began = now + round(self.envelope.period * 1e9)
        self._enter(State.RUNNING, self.began)

    def _enter(self, state: State, now: int) -> None:
        self.state, self.since = state, now
