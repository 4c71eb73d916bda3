"""Message definitions as bags carry them, and messages decoded by them: no ROS is installed."""

from collections.abc import Callable
from typing import Any

from sim2real.errors import LogError, MissingExtraError


def decoder(kind: str, definition: str, encoding: str, message: str) -> Callable[[bytes], Any]:
    """Return a function from a message's bytes to its content.

    Args:
        kind: the message's type, "sensor_msgs/msg/JointState".
        definition: its definition with those of its parts.
        encoding: of the definition: "ros2msg", "ros2idl", "ros1msg".
        message: how messages are encoded: "cdr" or "ros1".

    Raises:
        LogError: the definition cannot be understood.
    """
    try:
        from rosbags import typesys
    except ModuleNotFoundError:
        raise MissingExtraError("rosbags", "logs") from None
    try:
        store = typesys.get_typestore(typesys.Stores.EMPTY)
        name = kind if "/msg/" in kind else kind.replace("/", "/msg/", 1)
        if encoding == "ros2idl":
            store.register(typesys.get_types_from_idl(definition))
        else:
            store.register(typesys.get_types_from_msg(definition, name))
    except Exception as error:  # a parser of others' text: whatever it stumbles over
        raise LogError(f"the definition of {kind} cannot be read: {error}") from None
    decode = store.deserialize_cdr if message == "cdr" else store.deserialize_ros1
    return lambda data: decode(data, name)
