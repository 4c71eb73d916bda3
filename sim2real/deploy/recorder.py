"""Writes what a run measured and commanded to an MCAP file, without ever holding the run up."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from sim2real import config
from sim2real.deploy.driver import Array, Measurement
from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.ring import Ring
from sim2real.deploy.spec import robot_hash
from sim2real.deploy.supervisor import Decision, Event, State
from sim2real.errors import LogError
from sim2real.robot import EnvelopeOptions, Robot
from sim2real.signals import measured_signals, row_size

MEMORY = 30.0
"""Seconds that the ring holds, at the robot's control rate."""

CLOSE, KEEP = 1, 2
"""Wishes to the other process: complete the file; in a black box, write what there is."""

# -P: no module in the working directory can stand in for one of the standard library
_COMMAND = [sys.executable, "-P", "-m", "sim2real.deploy.recorder_process"]
_PACKAGE = str(Path(__file__).parents[2])


@final
class Recorder:
    """A context manager: the file is open within it, and complete after it.

    Rows go through a ring in shared memory to a process of their own (`recorder_process`): neither
    its garbage collector nor the disk can stop the control loop. If that process is stopped for so
    long that the ring runs over, rows are lost and counted. If this process dies, the other one
    completes the file with what it was given.
    """

    def __init__(
        self,
        path: Path,
        robot: Robot,
        *,
        origin: Mapping[str, Any] | None = None,
        goal: Sequence[float] = (),
        black_box: bool = False,
        shadow: bool = False,
        envelope: EnvelopeOptions | None = None,
    ):
        """Prepare a recording.

        Args:
            path: the file to write, which must not exist.
            robot: the robot that is driven.
            origin: where the commands come from: `origin` of the source.
            goal: what it pursues.
            black_box: write the last 30 s only, and only if `keep` is called or this process dies.
            shadow: whether the commands are not sent.
            envelope: the envelope's options, if they are not the robot's own.
        """
        self.path, self.black_box = path, black_box
        ncommand = len(robot.driven)
        measured = row_size(robot)
        self._measured = slice(0, measured)
        self._command = slice(measured, measured + ncommand)
        self._wanted = slice(measured + ncommand, measured + 2 * ncommand)
        self._stiffness = measured + 2 * ncommand
        self._temperature = slice(self._stiffness + 1, self._stiffness + 1 + ncommand)
        self._goal = slice(self._temperature.stop + 1, self._temperature.stop + 1 + len(goal))
        self._width = self._goal.stop
        self._capacity = max(64, round(MEMORY * robot.control_hz))
        self._header = {
            "robot": robot.name, "robot_hash": robot_hash(robot), "joints": list(robot.joints),
            "driven": list(robot.driven),
            "modes": [robot.joints[name].mode for name in robot.driven],
            "control_hz": robot.control_hz,
            "signals": {n: asdict(signal) for n, signal in measured_signals(robot).items()},
            "origin": dict(origin or {}), "goal": [float(value) for value in goal],
            "shadow": shadow, "envelope": config.to_dict(envelope or robot.envelope),
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self._ring: Ring | None = None
        self._lost = 0
        self._told = False
        """Whether the ring tells why the run tripped."""

    @property
    def dropped(self) -> int:
        """Rows that are not in the file."""
        return self._lost if self._ring is None else self._ring.lost

    def __enter__(self) -> Self:
        self._claim()
        self._ring = Ring(self._capacity, self._width)
        # monotonic stamps keep their distances; viewers want the date, too
        header = self._header | {
            "epoch": time.time_ns() - time.monotonic_ns(), "path": str(self.path.absolute()),
            "black_box": self.black_box, "width": self._width, "capacity": self._capacity,
            "ring": self._ring.file,
        }  # fmt: skip
        paths = [_PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
        # a session of its own: Ctrl-C ends the run, which then ends the recording
        self._process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, start_new_session=True, pass_fds=[self._ring.file],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)})  # fmt: skip
        assert self._process.stdin is not None  # it was asked for
        self._process.stdin.write(json.dumps(header).encode() + b"\n")
        self._process.stdin.flush()
        return self

    def _claim(self) -> None:
        try:
            if not self.black_box:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() or not self.black_box:
                self.path.open("xb").close()
            else:
                _check_place(self.path.parent)
        except FileExistsError:
            raise LogError(f"{self.path} exists: recordings are not overwritten") from None
        except OSError as error:
            raise LogError(
                f"{self.path} cannot be written: {error.strerror}: choose another folder"
            ) from None

    def record(
        self,
        now: int,
        measured: Measurement,
        decision: Decision,
        goal: Array | None = None,
        event: Event = Event.NONE,
    ) -> None:
        """Add a row; never waits.

        Args:
            now: the time of `time.monotonic_ns` [ns].
            measured: what was measured.
            decision: what came of it.
            goal: what the source pursues (ngoal,); if not given, as at the start.
            event: what a person did.
        """
        integers, numbers = self.ring.slot()
        acting = -1 if measured.acting is None else measured.acting
        integers[:] = (
            now, decision.state, decision.check.verdict, measured.seq, measured.stamp,
            measured.received, event, acting)  # fmt: skip
        numbers[self._measured] = measured.signals.joined()
        numbers[self._command] = np.nan if decision.command is None else decision.command
        numbers[self._wanted] = np.nan if decision.wanted is None else decision.wanted
        numbers[self._stiffness :] = np.nan
        numbers[self._stiffness] = decision.stiffness
        numbers[self._goal] = self._header["goal"] if goal is None else goal
        if measured.health is not None:
            self._record_health(numbers, measured)
        if decision.check.verdict == Verdict.TRIP:
            self.ring.reason, self._told = decision.check.reason, True
        elif self._told and decision.state > State.DAMP:  # re-armed
            self.ring.reason, self._told = "", False
        self.ring.push()

    def _record_health(self, numbers: np.ndarray, measured: Measurement) -> None:
        assert measured.health is not None  # checked by record
        if measured.health.temperature is not None:
            numbers[self._temperature] = measured.health.temperature
        if measured.health.voltage is not None:
            numbers[self._temperature.stop] = measured.health.voltage

    @property
    def ring(self) -> Ring:
        """The rows in memory, for whoever watches the run."""
        assert self._ring is not None  # within the context
        return self._ring

    def keep(self) -> None:
        """Have a black box write what it holds, at the end."""
        if self._ring is not None:
            self._ring.wish = KEEP

    def __exit__(self, kind: object, *_: object) -> None:
        process, ring = self._process, self._ring
        if process is None or process.stdin is None or ring is None:
            return
        ring.wish = max(ring.wish, CLOSE)
        process.stdin.close()
        code = process.wait()
        self._lost, self._process, self._ring = self.dropped, None, None
        ring.close()
        if code and kind is None:
            raise LogError(
                f"{self.path}: its last rows are missing: the recording process ended with {code}"
                " (its own message stands above; is the disk full?)"
            )


def _check_place(folder: Path) -> None:
    """Raise OSError if no file could be written to a folder, which may have to be made first.

    A black box that finds that out after the trip has lost it.
    """
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"you may not write to {folder.absolute()}")
