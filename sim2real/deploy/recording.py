"""Reads what `Recorder` wrote, also if its writer was killed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, final

import numpy as np

from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.supervisor import State
from sim2real.errors import LinkError, LogError
from sim2real.spool import BLOCK, Spool
from sim2real.trajectory import Trajectory

STEPS = ("/sim2real/measurement", "/sim2real/command")
"""Topics of what was measured in a step and what came of it, whole, as JSON in a text."""


def read_recording(path: Path) -> tuple[Trajectory, dict[str, Any]]:
    """Return the steps in which the source commanded, and what the recorder noted of the run.

    A file that breaks off is read up to its last complete chunk. Of steps that acted on the same
    measurement, the last counts.

    Raises:
        LogError: no such file, no recording of this package, or no two steps of a run in it.
    """
    steps: _Steps | None = None
    try:
        for kind, content in records(path):
            if kind == "metadata":
                steps = _Steps(path, content)
            elif steps is not None:
                steps.add(kind, content)
        log = steps.trajectory() if steps is not None else None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise LogError(f"{path}: a damaged recording: {error!r}") from None
    if steps is None or log is None:
        raise LogError(f"{path}: an MCAP file, but no recording of sim2real")
    return log, steps.metadata


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what the recorder noted of the run; raises LogError."""
    for kind, content in records(path):
        if kind == "metadata":
            return content
    raise LogError(f"{path}: an MCAP file, but no recording of sim2real")


def is_whole(path: Path) -> bool:
    """Return whether a recording has its end: one that was killed, cut or damaged breaks off."""
    return any(kind == "end" for kind, _ in records(path))


@final
class _Steps:
    """Measurements, each with the command that acted on it."""

    def __init__(self, path: Path, metadata: dict[str, Any]):
        self.path, self.metadata = path, metadata
        self._joints, self._driven = tuple(metadata["joints"]), tuple(metadata["driven"])
        sizes = {name: len(self._joints) for name in ("position", "velocity")} | {
            name: signal["size"] for name, signal in metadata.get("signals", {}).items()
        }
        self._spools = {name: Spool(size) for name, size in sizes.items()}
        self._spools["command"] = Spool(len(self._driven))
        self._time = Spool(dtype=np.int64)
        self._rows: list[dict[str, Any]] = []
        self._measured: dict[str, Any] = {}
        self._command: list[float] | None = None

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Take one message in."""
        if kind == "measurement":
            if content["stamp"] != self._measured.get("stamp"):
                self._close()
            self._measured = content
        elif (
            kind == "command"
            and content["state"] == State.RUNNING
            and content["command"]
            and content["stamp"] == self._measured.get("stamp")
        ):
            self._command = content["command"]

    def trajectory(self) -> Trajectory:
        """Return what was gathered."""
        self._close()
        self._flush()
        return Trajectory(
            joints=self._joints,
            driven=self._driven,
            time=self._time.array(),
            **{name: spool.array() for name, spool in self._spools.items()},
            source=str(self.path),
            facts=self.metadata,
        )

    def _close(self) -> None:
        if self._command is not None:
            self._rows.append(self._measured | {"command": self._command})
            self._command = None
            if len(self._rows) >= BLOCK // 8:
                self._flush()

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self._time.append(np.array([row["stamp"] for row in rows], np.int64))
            for name, spool in self._spools.items():
                spool.append(np.array([row[name] for row in rows], np.float64))


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the metadata and the JSON messages, until the file or what is whole of it ends.

    A file that is whole has an `end`.
    """
    from mcap.records import Channel, Footer, Message, Metadata

    from sim2real.deploy.mcap_records import whole_records

    kinds: dict[int, tuple[str, Callable[[bytes], str | bytes]]] = {}
    for record in whole_records(path):
        try:
            if isinstance(record, Channel):
                if record.topic in STEPS:
                    kinds[record.id] = record.topic.rpartition("/")[2], _text
                elif record.message_encoding == "json":  # as earlier versions wrote it
                    kinds[record.id] = record.topic, bytes
                continue
            if isinstance(record, Metadata) and record.name == "sim2real":
                found = "metadata", {k: json.loads(v) for k, v in record.metadata.items()}
            elif isinstance(record, Message) and record.channel_id in kinds:
                kind, text = kinds[record.channel_id]
                found = kind, json.loads(text(record.data))
            elif isinstance(record, Footer):
                found = "end", {}
            else:
                continue
        except (ValueError, KeyError, RecursionError, LinkError):
            return  # damage that the checksums did not see
        yield found


def _text(data: bytes) -> str:
    return CdrReader(data).text()
