"""What a process that drives a robot does around its loop."""

import contextlib
import ctypes
import gc
import os
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


_LOCK_ALL = 3  # MCL_CURRENT | MCL_FUTURE


@contextlib.contextmanager
def realtime(priority: int = 80) -> Iterator[list[str]]:
    """Run before all ordinary processes, with memory that stays in place, as far as allowed.

    Yields what the system refused, in words: `ulimit -r`, `ulimit -l` or CAP_SYS_NICE and
    CAP_IPC_LOCK decide. Whoever runs so must sleep: a loop that spins starves the machine, and the
    kernel stops it for 50 ms of each second.
    """
    refused: list[str] = []
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        refused.append(f"SCHED_FIFO: {error.strerror}")
    if ctypes.CDLL(None, use_errno=True).mlockall(_LOCK_ALL):
        refused.append(f"mlockall: {os.strerror(ctypes.get_errno())}")
    try:
        yield refused
    finally:
        if os.sched_getscheduler(0) != before[0]:
            os.sched_setscheduler(0, *before)
        ctypes.CDLL(None).munlockall()
