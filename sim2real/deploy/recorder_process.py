"""The process behind `Recorder`: a header on stdin, rows in a ring, MCAP into a file."""

import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np
from mcap.writer import Writer

from sim2real.deploy.recorder import KEEP
from sim2real.deploy.recorder_ros import RosTopics
from sim2real.deploy.ring import Ring

_POLL = 0.05  # s between two looks into the ring
_FLUSH = 20  # looks between two flushes


def main() -> None:
    """Write the file until stdin ends, as it does when the control process ends in any way."""
    # systemd stops all processes at once: the control process ends the rows
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    header = json.loads(line)
    ring = Ring(header.pop("capacity"), header.pop("width"), header.pop("ring"))
    path, black_box = Path(header.pop("path")), header.pop("black_box")
    if black_box:
        _wait_for_the_end(ring, header, path)
        return
    with path.open("wb") as output:
        file, looks = McapFile(header, output), 0
        while not _ended(_POLL):
            file.take(ring)
            looks += 1
            if looks % _FLUSH == 0:
                output.flush()
        file.take(ring)
        file.writer.finish()


def _wait_for_the_end(ring: Ring, header: dict[str, Any], path: Path) -> None:
    """Write what the ring holds if that is asked for, or nobody said that all went well."""
    while not _ended(None):
        pass
    if ring.wish in (0, KEEP) and ring.count:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as output:
            file = McapFile(header, output)
            file.next = max(0, ring.count - ring.capacity + 1)
            file.take(ring)
            file.writer.finish()


def _ended(seconds: float | None) -> bool:
    """Wait so long for stdin to end; return whether it did."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready) and not os.read(0, 1)


@final
class McapFile:
    """The rows of a ring as the messages that ROS 2 has, and whole, as JSON."""

    def __init__(self, header: dict[str, Any], output: BinaryIO):
        self.sizes = {name: signal["size"] for name, signal in header["signals"].items()}
        self.ncommand = len(header["driven"])
        self.next = 0
        """Number of the row that is written next."""
        self.epoch = header.pop("epoch")
        count = sum(self.sizes.values()) + 2 * self.ncommand
        # the writer closes a chunk by its size only: make that about a second of rows
        second = header["control_hz"] * (800 + 44 * count)
        self.writer = Writer(output, chunk_size=round(second))
        self.writer.start(profile="ros2", library="sim2real")
        self.writer.add_metadata("sim2real", {k: json.dumps(v) for k, v in header.items()})
        self.ros = RosTopics(header, self.writer)

    def take(self, ring: Ring) -> None:
        """Write the rows that have come."""
        first, integers, numbers = ring.read(self.next)
        ring.lost += first - self.next
        self.next = first + len(integers)
        for row, values in zip(integers.tolist(), numbers, strict=True):
            self._add(row, values)

    def _add(self, integers: list[int], numbers: np.ndarray) -> None:
        tick, state, verdict, seq, stamp, received, event, acting = integers
        n = self.ncommand
        ends = np.cumsum([*self.sizes.values(), n, n])
        *signals, command, wanted, rest = np.split(numbers, ends)
        named = {n: _plain(value) for n, value in zip(self.sizes, signals, strict=True)}
        measured: dict[str, Any] = {"seq": seq, "stamp": stamp, "received": received}
        measured |= named | ({} if acting < 0 else {"acting": bool(acting)})
        stiffness, temperature, voltage, goal = np.split(rest, [1, 1 + n, 2 + n])
        if np.isfinite(temperature).any():
            measured["temperature"] = _plain(temperature)
        if np.isfinite(voltage).all():
            measured["voltage"] = float(voltage[0])
        sent = {
            "stamp": stamp, "tick": tick, "state": state, "verdict": verdict, "event": event,
            "stiffness": float(stiffness[0]), "command": _given(command), "wanted": _given(wanted),
            "goal": _plain(goal),
        }  # fmt: skip
        now, received = tick + self.epoch, received + self.epoch
        self.ros.add_step(now, measured, sent)
        by_name = dict(zip(self.sizes, signals, strict=True))
        self.ros.add(now, received, by_name, command, wanted)


def _given(values: np.ndarray) -> list[Any] | None:
    return None if np.isnan(values).all() else _plain(values)


def _plain(values: np.ndarray) -> list[Any]:
    """Return numbers; those that are not finite as text, for which JSON has no number."""
    return [value if np.isfinite(value) else str(value) for value in values.tolist()]


if __name__ == "__main__":
    main()
