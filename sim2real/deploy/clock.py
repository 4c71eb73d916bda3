"""Time, and the absolute grid that a loop wakes on."""

import time
from abc import ABC, abstractmethod
from collections import deque
from typing import final


class Clock(ABC):
    """A monotonic clock in nanoseconds."""

    @abstractmethod
    def now(self) -> int:
        """Return the time [ns]."""

    @abstractmethod
    def sleep_until(self, deadline: int) -> None:
        """Return at `deadline` [ns], or at once if it has passed."""


@final
class MonotonicClock(Clock):
    """The computer's own clock."""

    def now(self) -> int:  # noqa: D102
        return time.monotonic_ns()

    def sleep_until(self, deadline: int) -> None:  # noqa: D102
        remaining = deadline - time.monotonic_ns()
        if remaining > 0:
            time.sleep(remaining * 1e-9)


_REMEMBERED = 1 << 17
"""Ticks whose lateness is kept: of 10 minutes at 200 Hz all, of a day the last ones."""


@final
class Grid:
    """Wakes at start + k / hz; a tick that is missed is skipped and counted, never made up for."""

    def __init__(self, clock: Clock, hz: float):
        self.skipped = 0
        """Ticks that were missed."""
        self.lateness: deque[int] = deque(maxlen=_REMEMBERED)
        """How long after its time each of the last 131,072 ticks began [ns]."""
        self._clock = clock
        self._period = 1e9 / hz
        self._start = clock.now()
        self._tick = 0

    def wait(self) -> None:
        """Return at the next tick that can still be met: less than half a period late."""
        self._tick += 1
        for _ in range(2):  # again after the sleep: the system may have woken us late
            late = (self._clock.now() - self._time()) / self._period
            if late > 0.5:
                missed = max(1, round(late))
                self._tick += missed
                self.skipped += missed
            self._clock.sleep_until(self._time())
        self.lateness.append(self._clock.now() - self._time())

    def _time(self) -> int:
        # from the start, not from the tick before: rounding does not add up
        return self._start + round(self._tick * self._period)
