"""MCAP files with ROS 2 CDR, ROS 1 or JSON messages, up to their last complete record."""

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, final

from mcap.records import Channel, Schema
from mcap.records import Message as Record

from sim2real.calibration.logs.bag import Bag, Message, Topic
from sim2real.calibration.logs.ros_types import decoder
from sim2real.deploy.mcap_records import whole_records
from sim2real.errors import LogError

Decode = Callable[[bytes], Any]


@final
class McapBag(Bag):
    """One MCAP file, or those of one recording in their order."""

    def __init__(self, path: Path, files: Collection[Path] = ()):
        super().__init__(path)
        self._files = tuple(files) or (path,)

        for file in self._files:
            next(whole_records(file), None)  # refuses what is no MCAP file

    def topics(self) -> dict[str, Topic]:
        """Return the topics that have messages; reads the whole file."""
        kinds: dict[str, str] = {}
        counts: dict[str, int] = {}
        for channel, schema, _ in self._records():
            kinds[channel.topic] = schema.name if schema else channel.message_encoding
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
        return {topic: Topic(kind, counts[topic]) for topic, kind in kinds.items()}

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of `topics`, decoded."""
        decoders: dict[tuple[str, str, bytes], Decode] = {}
        for channel, schema, record in self._records():
            if channel.topic not in topics:
                continue
            key = (channel.message_encoding, *((schema.name, schema.data) if schema else ("", b"")))
            if key not in decoders:
                decoders[key] = self._decoder(channel, schema)
            yield Message(
                channel.topic, record.log_time, self._decode(decoders[key], record, channel)
            )

    def _decode(self, decode: Decode, record: Record, channel: Channel) -> Any:
        try:
            return decode(record.data)
        except Exception as error:  # a parser of others' bytes: whatever it stumbles over
            raise LogError(
                f"{self.path}: a message of {channel.topic} at {record.log_time} ns cannot be"
                f" decoded: {error}"
            ) from None

    def _decoder(self, channel: Channel, schema: Schema | None) -> Decode:
        encoding = channel.message_encoding
        if encoding == "json":
            return json.loads
        if encoding not in ("cdr", "ros1") or schema is None:
            raise LogError(
                f"{self.path}: messages of {channel.topic} are encoded as {encoding!r}"
                f"{'' if schema else ' without a schema'}: known are json, cdr and ros1"
            )
        try:
            text = schema.data.decode(errors="replace")
            return decoder(schema.name, text, schema.encoding, encoding)
        except LogError as error:
            raise LogError(f"{self.path}: {error}") from None

    def _records(self) -> Iterator[tuple[Channel, Schema | None, Record]]:
        for path in self._files:
            yield from _records(path)


def is_recording(path: Path) -> bool:
    """Return whether the file begins as the package's own recorder's do."""
    try:
        with path.open("rb") as file:
            return b"sim2real" in file.read(512)
    except OSError:
        return False


def _records(path: Path) -> Iterator[tuple[Channel, Schema | None, Record]]:
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    for record in whole_records(path):
        if isinstance(record, Schema):
            schemas[record.id] = record
        elif isinstance(record, Channel):
            channels[record.id] = record
        elif isinstance(record, Record) and record.channel_id in channels:
            channel = channels[record.channel_id]
            yield channel, schemas.get(channel.schema_id), record
