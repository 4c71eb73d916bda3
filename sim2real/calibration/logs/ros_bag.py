"""rosbag2 with SQLite storage, and ROS 1 bags."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, final

from sim2real.calibration.logs.bag import Bag, Message, Topic
from sim2real.errors import LogError, MissingExtraError


@final
class RosBag(Bag):
    """What `rosbags` reads: a rosbag2 folder, a .db3 file, a ROS 1 .bag file."""

    def topics(self) -> dict[str, Topic]:
        """Return the topics."""
        with self._open() as reader:
            return {
                n: Topic(t.msgtype or "several types", t.msgcount) for n, t in reader.topics.items()
            }

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of `topics`, decoded."""
        with self._open() as reader:
            chosen = [c for c in reader.connections if c.topic in topics]
            for connection, received, data in reader.messages(chosen) if chosen else ():
                content = reader.deserialize(data, connection.msgtype)
                yield Message(connection.topic, received, content)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
        except ModuleNotFoundError:
            raise MissingExtraError("rosbags", "logs") from None
        try:  # bags of before ROS 2 Iron with SQLite storage carry no definitions
            with AnyReader(
                [self.path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)
            ) as reader:
                yield reader
        except LogError:
            raise
        except Exception as error:  # SQLite, YAML, lz4 and its own: whatever it stumbles over
            raise LogError(
                f"{self.path}: not a bag, or a damaged one: {error}; the .mcap file of a recording"
                " that broke off is read up to its last complete record"
            ) from None
