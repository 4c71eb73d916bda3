"""What the checks of a preflight share: a robot to try things on, and what they find."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np

from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Array, Command, Measurement, RobotDriver
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.errors import LinkError
from sim2real.robot import Robot

PATIENCE = 1.0
"""How long something may take that should happen at once [s]."""


class Outcome(Enum):
    """Of a check."""

    PASS = "pass"
    FAIL = "fail"
    UNSEEN = "unseen"
    """The robot does not tell, or nothing can be told in this pose: a person must look."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    check: str
    outcome: Outcome
    detail: str = ""


def finding(check: str, good: bool | None, detail: str = "") -> Finding:
    """Return a finding; None is what nobody could see."""
    outcome = Outcome.UNSEEN if good is None else Outcome.PASS if good else Outcome.FAIL
    return Finding(check=check, outcome=outcome, detail=detail)


@final
class Bench:
    """A robot behind a driver that is open, and time."""

    def __init__(self, driver: RobotDriver, clock: Clock, envelope: Envelope | None = None):
        self.driver, self.clock = driver, clock
        self.envelope = envelope or Envelope.of(driver.robot)

    @property
    def robot(self) -> Robot:
        """The robot."""
        return self.driver.robot

    def sleep(self, seconds: float) -> None:
        """Let time pass [s]."""
        self.clock.sleep_until(self.clock.now() + round(seconds * 1e9))

    def measured(self) -> Measurement:
        """Return a measurement that is newer than this call; raises LinkError if none comes."""
        before = self.driver.read()
        return self.until(lambda m: before is None or m.seq > before.seq, "no measurement comes")

    def until(self, condition: Callable[[Measurement], bool], otherwise: str) -> Measurement:
        """Return the first measurement of which that holds; raises LinkError after a second."""
        end = self.clock.now() + round(PATIENCE * 1e9)
        while self.clock.now() < end:
            measured = self.driver.read()
            if measured is not None and condition(measured):
                return measured
            self.sleep(0.001)
        raise LinkError(otherwise)

    def command(self, target: Array, seconds: float, stiffness: float = 1.0) -> Command:
        """Send a command that holds so long [s] from the newest measurement; return it."""
        stamp = self.measured().stamp
        command = Command(
            seq=self.clock.now(), valid_until=stamp + round(seconds * 1e9), target=target,
            stiffness=stiffness)  # fmt: skip
        self.driver.write(command)
        return command

    def still(self) -> Array:
        """Return the command (ncommand,) that moves nothing: the pose measured, no torque."""
        index, servo = self.envelope.servos.index, self.envelope.servos.kp > 0.0
        return np.where(servo, self.measured().signals.position[index], 0.0)
