"""Does the robot do what it is told? Once a lease has lapsed it has damped, whoever comes back."""

from typing import final

from sim2real.deploy.driver import Measurement
from sim2real.deploy.envelope.verdict import OK, Check, trip


@final
class Leased:
    """What the controller's side knows of the leases that it has given.

    A controller that was stopped for a while, or whose commands got lost, must not go on where it
    was: the robot has damped meanwhile, and sagged or fallen. It is a person who begins anew.
    """

    def __init__(self, seconds: float):
        """Begin without a lease; each lasts `seconds` from the measurement that it answers."""
        self.seconds = seconds
        self._lease = round(seconds * 1e9)
        self.forget()

    def forget(self) -> None:
        """Take it that the robot damps, as it should."""
        self.until: int | None = None
        """Until when the last command holds, by the robot's clock [ns]; None before the first."""
        self._first: int | None = None
        self._acted = False

    def renew(self, measured: Measurement) -> None:
        """Note that a command is sent, in answer to a measurement."""
        self.until = measured.stamp + self._lease
        self._first = measured.stamp if self._first is None else self._first

    def check(self, measured: Measurement) -> Check:
        """Return OK, or a TRIP if the robot has damped although it was commanded.

        A driver that does not tell whether the robot acts can only be judged by the time.
        """
        if self.until is None or self._first is None:
            return OK
        if measured.stamp >= self.until:
            late = (measured.stamp - self.until) * 1e-9
            return trip(f"the lease lapsed {late:.3g} s before the next command was ready")
        if measured.acting is False and self._acted:
            return trip("the robot damped: commands did not reach it in time, or it was stopped")
        if measured.acting is False and measured.stamp - self._first >= self._lease:
            return trip(f"the robot has taken no command for {self.seconds:g} s, and damps")
        self._acted = self._acted or measured.acting is True
        return OK
