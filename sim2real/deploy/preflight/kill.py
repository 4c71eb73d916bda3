"""Does the robot damp when the process that commands it is killed?"""

import os
import signal
import time
from collections.abc import Callable, Iterator

from sim2real.deploy.clock import MonotonicClock
from sim2real.deploy.driver import RobotDriver, connected
from sim2real.deploy.preflight.bench import PATIENCE, Bench, Finding, finding
from sim2real.errors import LinkError

_LEASE = 0.1  # s
_COMMANDING = 0.3  # s before it is killed


def check_kill(commanding: RobotDriver, watching: RobotDriver) -> Iterator[Finding]:
    """Have another process hold the robot's pose, kill and stop it, and look.

    Args:
        commanding: a driver, closed: the other process opens it.
        watching: another one, open, that may read meanwhile.
    """
    for number in (signal.SIGKILL, signal.SIGSTOP):
        yield _after(number, commanding, Bench(watching, MonotonicClock()))


def _after(number: signal.Signals, commanding: RobotDriver, bench: Bench) -> Finding:
    name = f"the controller's process gets {number.name}"
    parent = os.getpid()
    process = _fork(lambda: _hold(commanding, parent))
    try:
        bench.until(lambda m: m.acting is not False, "the other process could not command")
        time.sleep(_COMMANDING)
        os.kill(process, number)
        start = time.monotonic()
        told = bench.until(lambda m: m.acting is not True, "its last command stays in force")
        late = time.monotonic() - start
    except LinkError as error:
        return finding(name, False, str(error))
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        time.sleep(PATIENCE)  # until a silent client no longer holds the robot
    if told.acting is None:
        return finding(name, None, "the robot does not tell whether it damps")
    return finding(name, late <= 2 * _LEASE, f"damped after {late * 1e3:.0f} ms, of a lease of"
                   f" {_LEASE * 1e3:.0f} ms")  # fmt: skip


def _fork(function: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            function()
        finally:
            os._exit(1)
    return process


def _hold(driver: RobotDriver, parent: int) -> None:
    with connected(driver):
        bench = Bench(driver, MonotonicClock())
        pose = bench.still()
        while os.getppid() == parent:  # whose end, however it comes, must not leave this one behind
            bench.command(pose, _LEASE)
