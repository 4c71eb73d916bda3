"""What files of messages have in common: topics, and messages one after another."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Message:
    """One message of a bag."""

    topic: str
    received: int
    """When the recorder got it [ns]."""
    content: Any
    """An object with the message's fields, or a dict of them."""


@dataclass(frozen=True)
class Topic:
    """What a bag says of a topic."""

    type: str
    count: int
    """Messages in the file's whole part."""


class Bag(ABC):
    """A file, or a folder of files, of messages. They are read one at a time."""

    def __init__(self, path: Path):
        self.path = path

    @abstractmethod
    def topics(self) -> dict[str, Topic]:
        """Return the topics by name; raises LogError."""

    @abstractmethod
    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of `topics` in the order of the file; raises LogError."""


def get(content: Any, field: str) -> Any:
    """Return a field of a message; None if it has no such field."""
    if isinstance(content, dict):
        return content.get(field)
    return getattr(content, field, None)


def header_stamp(content: Any) -> int | None:
    """Return the stamp of a message's header [ns]; None without one, or if it was left at 0."""
    stamp = get(get(content, "header"), "stamp")
    seconds, nanoseconds = get(stamp, "sec"), get(stamp, "nanosec")
    if seconds is None:  # JSON as ROS 1 spells it
        seconds, nanoseconds = get(stamp, "secs"), get(stamp, "nsecs")
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        return None
    return seconds * 1_000_000_000 + nanoseconds or None
