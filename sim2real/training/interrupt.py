"""Ctrl-C as a request: what is at hand is ended first."""

import signal
from types import FrameType
from typing import Any


class Interrupt:
    """Turns the first Ctrl-C into a request; a second one stops at once."""

    def __enter__(self) -> "Interrupt":
        self.asked = False
        try:
            self._before: Any = signal.signal(signal.SIGINT, self._handle)
        except ValueError:  # not in the main thread: nothing to handle
            self._before = None
        return self

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
