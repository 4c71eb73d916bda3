"""A robot's clock in terms of this computer's."""

from typing import final


@final
class RobotClock:
    """The robot's clock in terms of ours, by the fastest message so far.

    A message that waited (in the network, or in a queue while we were stopped) is thereby told
    from a fresh one without synchronized clocks. The estimate yields by 1e-3 of the time that
    passes: more than clocks drift apart, too little to get used to a delay.
    """

    def __init__(self) -> None:
        self._offset = self._updated = 0
        self._started = False

    def local(self, stamp: int, now: int) -> int:
        """Return when a measurement stamped `stamp` was fresh, by our clock [ns]."""
        offset = now - stamp
        if self._started:
            offset = min(offset, self._offset + (now - self._updated) // 1000)
        self._started, self._offset, self._updated = True, offset, now
        return stamp + offset
