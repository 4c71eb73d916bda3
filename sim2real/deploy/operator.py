"""The person at the robot, as the control loop hears of them: through shared memory."""

from typing import Protocol, final

from sim2real.deploy.ring import Ring
from sim2real.deploy.supervisor import Event


class Person(Protocol):
    """Who may stop a run, and leave a trip."""

    def poll(self) -> Event:
        """Return what was asked for since the call before; never waits."""
        ...


@final
class Operator:
    """What was asked for in the head of a ring since it was looked at last."""

    def __init__(self, ring: Ring):
        self._ring = ring
        self._stops, self._rearms = ring.stops, ring.rearms

    def poll(self) -> Event:
        """Return what was asked for since the call before; a stop before all else."""
        stops, rearms = self._ring.stops, self._ring.rearms
        stopped, rearmed = stops != self._stops, rearms != self._rearms
        self._stops, self._rearms = stops, rearms
        return Event.STOP if stopped else Event.REARM if rearmed else Event.NONE
