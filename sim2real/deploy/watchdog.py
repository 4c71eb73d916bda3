"""What systemd hears from a process that it watches: sd_notify(3), without its library."""

import contextlib
import os
import socket
import time
from typing import final

_INTERVAL = 100_000_000  # ns between two signs of life


@final
class Watchdog:
    """Says that the process is ready, and alive; says nothing where nobody listens.

    With `WatchdogSec=` in the unit, systemd ends a process whose loop hangs.
    """

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._said = 0

    def ready(self) -> None:
        """Say that the start is over."""
        self._send(b"READY=1")

    def alive(self) -> None:
        """Say that the loop turns; call it in each turn, it is said ten times a second."""
        now = time.monotonic_ns()
        if self._address and now - self._said >= _INTERVAL:
            self._said = now
            self._send(b"WATCHDOG=1")

    def _send(self, state: bytes) -> None:
        if not self._address:
            return
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        with (
            contextlib.suppress(OSError),  # a manager that is gone stops no robot
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as connection,
        ):
            connection.sendto(state, address)
