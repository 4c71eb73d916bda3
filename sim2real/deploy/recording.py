"""Reads what `Recorder` wrote, also if its writer was killed."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sim2real.deploy.loop import State
from sim2real.errors import LogError
from sim2real.trajectory import Trajectory


def read_recording(path: Path) -> tuple[Trajectory, dict[str, Any]]:
    """Return the steps in which the source commanded, and what the recorder noted of the run.

    A file that breaks off is read up to its last complete chunk. Of steps that acted on the same
    measurement, the last counts.

    Raises:
        LogError: no such file, no recording of this package, or no two steps of a run in it.
    """
    metadata: dict[str, Any] = {}
    measured: dict[int, dict[str, Any]] = {}
    commands: dict[int, list[float]] = {}
    for kind, content in _records(path):
        if kind == "metadata":
            metadata = content
        elif kind == "measurement":
            measured[content["stamp"]] = content
        elif kind == "command" and content["state"] == State.RUNNING and content["command"]:
            commands[content["stamp"]] = content["command"]
    if not metadata:
        raise LogError(f"{path}: an MCAP file, but no recording of sim2real")
    stamps = [stamp for stamp in commands if stamp in measured]
    joints, driven = tuple(metadata["joints"]), tuple(metadata["driven"])
    sizes = {name: len(joints) for name in ("position", "velocity")} | {
        name: signal["size"] for name, signal in metadata.get("signals", {}).items()
    }
    trajectory = Trajectory(
        joints=joints,
        driven=driven,
        time=np.array(stamps, np.int64),
        **{n: _rows([measured[stamp][n] for stamp in stamps], size) for n, size in sizes.items()},
        command=_rows([commands[stamp] for stamp in stamps], len(driven)),
        source=str(path),
    )
    return trajectory, metadata


def _rows(rows: list[list[float]], width: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(rows, np.float64).reshape(len(rows), width)


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the metadata and the messages, until the file or what is whole of it ends."""
    from mcap.exceptions import InvalidMagic, McapError
    from mcap.records import Channel, Message, Metadata
    from mcap.stream_reader import StreamReader

    topics: dict[int, str] = {}
    try:
        with path.open("rb") as file:
            for record in StreamReader(file, validate_crcs=True).records:
                if isinstance(record, Channel):
                    topics[record.id] = record.topic
                elif isinstance(record, Metadata) and record.name == "sim2real":
                    yield "metadata", {k: json.loads(v) for k, v in record.metadata.items()}
                elif isinstance(record, Message):
                    yield topics[record.channel_id], json.loads(record.data)
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror}") from None
    except InvalidMagic:
        if not topics:
            raise LogError(f"{path}: not an MCAP file") from None
    except (McapError, ValueError, KeyError, struct.error):
        return  # the writer was stopped in the middle of a chunk: what came before is whole
