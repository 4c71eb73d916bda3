"""What a process that drives a robot does around its loop."""

import contextlib
import gc
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stop:
    """Whether somebody asked the process to stop."""

    requested = ""
    """Name of the signal that asked for it; empty while nobody has."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Yield what Ctrl-C and SIGTERM set, so that a loop ends between two ticks.

    The second signal of a kind acts as it would have without: a loop that hangs can be ended.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread gets signals
        return
    before: dict[int, object] = {}

    def request(number: int, frame: FrameType | None) -> None:
        stop.requested = signal.Signals(number).name
        signal.signal(number, before[number])  # type: ignore[arg-type]

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.getsignal(number)
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


@contextlib.contextmanager
def frozen_gc() -> Iterator[None]:
    """Keep the garbage collector out of a loop: a collection of a whole process takes 0.2 s."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
