"""The process behind `Recorder`: a header and rows on stdin, MCAP on stdout."""

import json
import math
import os
import select
import signal
import struct
import sys
import time
from itertools import islice
from typing import IO, Any, final

from mcap.writer import Writer

_NUMBERS = {"type": "array", "items": {"type": "number"}}
_SCHEMAS = {
    "measurement": {"seq": {"type": "integer"}, "stamp": {"type": "integer"}},
    "command": {"stamp": {"type": "integer"}, "state": {"type": "integer"},
                "command": {**_NUMBERS, "type": ["array", "null"]}},
}  # fmt: skip
_FLUSH = 1.0  # s


def main() -> None:
    """Write the file until stdin ends, as it does when the control process ends in any way."""
    # systemd stops all processes at once: the control process ends the rows
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = sys.stdin.fileno()
    data = b""
    while b"\n" not in data:
        if not (part := os.read(pipe, 65536)):
            return
        data += part
    header, _, data = data.partition(b"\n")
    file = _File(json.loads(header), sys.stdout.buffer)
    data = file.add(data)
    flushed = time.monotonic()
    while True:
        ready, _, _ = select.select([pipe], [], [], _FLUSH)
        if ready:
            if not (part := os.read(pipe, 65536)):
                break
            data = file.add(data + part)
        if time.monotonic() - flushed >= _FLUSH:
            sys.stdout.buffer.flush()
            flushed = time.monotonic()
    file.writer.finish()
    sys.stdout.buffer.flush()


@final
class _File:
    def __init__(self, header: dict[str, Any], output: IO[bytes]):
        self.sizes = {name: signal["size"] for name, signal in header["signals"].items()}
        count = sum(self.sizes.values()) + len(header["driven"])
        self.row = struct.Struct(f"<qqqq{count}d")
        self.epoch = header.pop("epoch")
        # the writer closes a chunk by its size only: make that about a second of rows
        second = header["control_hz"] * (200 + 20 * count)
        self.writer = Writer(output, chunk_size=round(second))
        self.writer.start(profile="", library="sim2real")
        self.writer.add_metadata("sim2real", {k: json.dumps(v) for k, v in header.items()})
        self.channels = {name: self._channel(name) for name in _SCHEMAS}

    def _channel(self, name: str) -> int:
        properties = dict(_SCHEMAS[name])
        if name == "measurement":
            properties |= dict.fromkeys(self.sizes, _NUMBERS)
        schema = {"type": "object", "properties": properties}
        number = self.writer.register_schema(
            name=name, encoding="jsonschema", data=json.dumps(schema).encode()
        )
        return self.writer.register_channel(topic=name, message_encoding="json", schema_id=number)

    def add(self, data: bytes) -> bytes:
        """Write the whole rows of `data`; return the rest."""
        count = len(data) // self.row.size
        for row in self.row.iter_unpack(data[: count * self.row.size]):
            self._add_row(*row)
        return data[count * self.row.size :]

    def _add_row(self, now: int, state: int, seq: int, stamp: int, *values: float) -> None:
        rest = iter(values)
        signals = {name: tuple(islice(rest, size)) for name, size in self.sizes.items()}
        measured, command = {"seq": seq, "stamp": stamp} | signals, tuple(rest)
        damps = any(map(math.isnan, command))
        sent = {"stamp": stamp, "state": state, "command": None if damps else command}
        for name, message in (("measurement", measured), ("command", sent)):
            self.writer.add_message(
                channel_id=self.channels[name],
                log_time=now + self.epoch,
                publish_time=now + self.epoch,
                sequence=seq,
                data=json.dumps(message).encode(),
            )


if __name__ == "__main__":
    main()
