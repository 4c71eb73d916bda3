"""Does the robot stop when it is told to, and when nobody tells it anything any more?"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from sim2real.deploy.driver import StopMode
from sim2real.deploy.preflight.bench import Bench, Finding, finding
from sim2real.errors import LinkError

_LEASE = 0.1  # s
_LONG = 0.9  # s: what damps sooner was stopped, and has not lapsed


def check_stops(bench: Bench) -> Iterator[Finding]:
    """Fire the stop in every way that a program can come to it; each must leave a damped robot."""
    ways: dict[str, Callable[[], None]] = {
        "stop": bench.driver.stop,
        "stop, twice": lambda: _twice(bench.driver.stop),
        "stop, from a signal's handler": lambda: _from_handler(bench.driver.stop),
        "stop, in an exception": lambda: _in_exception(bench.driver.stop),
        "stop, and all current off": lambda: bench.driver.stop(StopMode.OFF),
    }
    for name, stop in ways.items():
        try:
            bench.command(bench.still(), _LONG)
            acting = bench.until(lambda m: m.acting is not False, "it takes no command").acting
            stop()
        except Exception as error:  # whatever a driver's stop raises is what is looked for
            yield finding(name, False, f"{type(error).__name__}: {error}")
            _damp(bench)
            continue
        yield _damped(bench, name) if acting else finding(name, None, "the robot does not tell")


def check_stop_of_a_closed_driver(bench: Bench) -> Iterator[Finding]:
    """Stop a driver that was closed, close it again, and open it again."""
    name = "stop and close, when it is closed"
    try:
        bench.driver.close()
        bench.driver.stop()
        bench.driver.close()
        good, detail = True, ""
    except Exception as error:  # as above
        good, detail = False, f"{type(error).__name__}: {error}"
    bench.driver.open()
    bench.measured()
    yield finding(name, good, detail)


def check_lapse(bench: Bench) -> Iterator[Finding]:
    """Send one command and then nothing: the robot must damp when the lease ends."""
    name = f"a lease of {_LEASE:g} s lapses"
    command = bench.command(bench.still(), _LEASE)
    try:
        acting = bench.until(lambda m: m.acting is not False, "it takes no command").acting
        if acting is None:
            yield finding(name, None, "the robot does not tell whether it damps")
            return
        damped = bench.until(lambda m: m.acting is False, "the command stays in force")
    except LinkError as error:
        yield finding(name, False, str(error))
        return
    late = (damped.stamp - command.valid_until) * 1e-9
    # one turn of the robot's own loop, which is no slower than the controller's
    yield finding(name, late <= bench.envelope.period, f"damped {late * 1e3:.1f} ms after its end")


def _damped(bench: Bench, name: str) -> Finding:
    start = bench.clock.now()
    try:
        bench.until(lambda m: m.acting is False, "the robot goes on with its command")
    except LinkError as error:
        return finding(name, False, str(error))
    late = (bench.clock.now() - start) * 1e-9
    return finding(name, late <= bench.envelope.max_age, f"damped after {late * 1e3:.1f} ms")


def _damp(bench: Bench) -> None:
    """Have the robot damped by the end of its lease, if it does not hear."""
    bench.sleep(_LONG)


def _twice(stop: Callable[[], None]) -> None:
    stop()
    stop()


def _from_handler(stop: Callable[[], None]) -> None:
    failed: list[Exception] = []

    def handle(number: int, frame: FrameType | None) -> None:
        try:
            stop()
        except Exception as error:  # told by the caller, not in the middle of anything
            failed.append(error)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    if failed:
        raise failed[0]


def _in_exception(stop: Callable[[], None]) -> None:
    with contextlib.suppress(ZeroDivisionError):
        try:
            _ = 1 / 0
        finally:
            stop()
