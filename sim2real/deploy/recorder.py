"""Writes what a run measured and commanded to an MCAP file, without ever holding the run up."""

import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, final

from sim2real.deploy.link import Array, Measurement
from sim2real.deploy.spec import robot_hash
from sim2real.errors import LogError
from sim2real.robot import Robot
from sim2real.signals import measured_signals, row_size

_NAN = float("nan")

# -P: no module in the working directory can stand in for one of the standard library
_COMMAND = [sys.executable, "-P", str(Path(__file__).with_name("recorder_process.py"))]


@final
class Recorder:
    """A context manager: the file is open within it, and complete after it.

    Rows go through a pipe to a process of their own (`recorder_process`): neither its garbage
    collector nor the disk can stop the control loop. A row that the pipe has no room for is dropped
    and counted. If this process dies, the other one completes the file with what it was given.
    """

    def __init__(
        self,
        path: Path,
        robot: Robot,
        *,
        origin: Mapping[str, Any] | None = None,
        goal: Sequence[float] = (),
    ):
        """Prepare a recording.

        Args:
            path: the file to write, which must not exist.
            robot: the robot that is driven.
            origin: where the commands come from: `origin` of the source.
            goal: what it pursues.
        """
        self.path = path
        self.dropped = 0
        """Rows that are not in the file."""
        ncommand = len(robot.driven)
        self._row = struct.Struct(f"<qqqq{row_size(robot) + ncommand}d")
        self._nothing = [_NAN] * ncommand
        self._header = {
            "robot": robot.name, "robot_hash": robot_hash(robot), "joints": list(robot.joints),
            "driven": list(robot.driven), "control_hz": robot.control_hz,
            "signals": {n: asdict(signal) for n, signal in measured_signals(robot).items()},
            "origin": dict(origin or {}), "goal": [float(value) for value in goal],
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def __enter__(self) -> Self:
        if self._row.size > select.PIPE_BUF:
            raise LogError(f"{self.path}: a robot of so many joints cannot be recorded")
        # monotonic stamps keep their distances; viewers want the date, too
        header = self._header | {"epoch": time.time_ns() - time.monotonic_ns()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("xb")
        except FileExistsError:
            raise LogError(f"{self.path} exists: recordings are not overwritten") from None
        except OSError as error:
            raise LogError(f"{self.path} cannot be written: {error.strerror}") from None
        with file:
            # a session of its own: Ctrl-C ends the run, which then ends the recording
            self._process = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=file, start_new_session=True
            )
        assert self._process.stdin is not None  # it was asked for
        self._process.stdin.write(json.dumps(header).encode() + b"\n")
        self._process.stdin.flush()
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)
        return self

    def record(self, now: int, state: int, measured: Measurement, command: Array | None) -> None:
        """Add a row; never waits.

        Args:
            now: the time of `time.monotonic_ns` [ns].
            state: what the loop is doing, a `State`.
            measured: what was measured.
            command: what was sent then (ncommand,), None if the robot damps.
        """
        values = self._nothing if command is None else command.tolist()
        row = self._row.pack(
            now, state, measured.seq, measured.stamp, *measured.signals.row(), *values
        )
        try:
            os.write(self._pipe, row)  # whole or not at all: it is shorter than PIPE_BUF
        except OSError:
            self.dropped += 1

    def __exit__(self, kind: object, *_: object) -> None:
        process, self._process, self._pipe = self._process, None, -1
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        code = process.wait()
        if code and kind is None:
            raise LogError(
                f"{self.path}: its last rows are missing: the recording process ended with {code}"
                " (its own message stands above; is the disk full?)"
            )
