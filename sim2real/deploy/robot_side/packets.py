"""The datagrams between a controller's computer and a robot's.

    magic 4s · version u8 · kind u8 · count u16 · robot 8s · session u32 · episode u32 · seq u64
    · time i64 · count × f64 · crc32 u32                                        (little-endian)

`time` is of the robot's clock [ns]: the stamp of a measurement, the end of a command's validity.
So a clock is compared with itself only, and neither a slow network nor a slow controller can
lengthen the life of a command. The values of a measurement are the robot's `measured_signals`, in
their order; those of a command its targets and its stiffness; that of DAMP the `StopMode`.
"""

import dataclasses
import math
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from sim2real.deploy.spec import robot_hash
from sim2real.errors import LinkError
from sim2real.robot import Robot

MAGIC, VERSION = b"S2RL", 2
DEFAULT_ADDRESS = "127.0.0.1:9870"
LARGEST = 65507

_HEADER = struct.Struct("<4sBBH8sIIQqq")
_CRC = struct.Struct("<I")


class Kind(IntEnum):
    """What a datagram says; those from MEASUREMENT to REFUSED come from the robot."""

    HELLO = 1
    COMMAND = 2
    DAMP = 3
    RESET = 4
    BYE = 5
    MEASUREMENT = 6
    REFUSED = 7
    WATCH = 8
    """Measurements, please, for somebody who will not command."""


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One datagram."""

    kind: Kind
    robot: bytes
    """`robot_id` of the robot that the sender believes in."""
    session: int
    """Number that the client drew when it opened the link."""
    episode: int = 0
    """How often the robot has been reset."""
    seq: int
    time: int = 0
    answers: int = 0
    """Stamp of the measurement that a command answers; of a measurement 1, or 0 if it damps."""
    values: tuple[float, ...] = ()

    def encode(self) -> bytes:
        """Return the datagram."""
        count = len(self.values)
        head = _HEADER.pack(
            MAGIC, VERSION, self.kind, count, self.robot, self.session, self.episode, self.seq,
            self.time, self.answers,
        )  # fmt: skip
        body = head + struct.pack(f"<{count}d", *self.values)
        return body + _CRC.pack(zlib.crc32(body))

    @classmethod
    def decode(cls, data: bytes) -> "Packet | None":
        """Return the packet, or None if `data` is foreign, damaged, or holds a non-finite value."""
        if len(data) < _HEADER.size + _CRC.size or data[:4] != MAGIC or data[4] != VERSION:
            return None
        body, crc = data[: -_CRC.size], data[-_CRC.size :]
        if _CRC.unpack(crc)[0] != zlib.crc32(body):
            return None
        _, _, kind, count, robot, session, episode, seq, time, answers = _HEADER.unpack_from(body)
        if len(body) != _HEADER.size + 8 * count or kind not in set(Kind):
            return None
        values = struct.unpack_from(f"<{count}d", body, _HEADER.size)
        if not all(map(math.isfinite, values)):
            return None
        return cls(
            kind=Kind(kind), robot=robot, session=session, episode=episode, seq=seq, time=time,
            answers=answers, values=values,
        )  # fmt: skip


def robot_id(robot: Robot) -> bytes:
    """Return what both ends of a link must agree on: `robot_hash`, but for the control rate."""
    return bytes.fromhex(robot_hash(dataclasses.replace(robot, control_hz=1.0)))


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of 'host:port'; raises LinkError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise LinkError(f"{address!r} is no address: write host:port, like {DEFAULT_ADDRESS}")
    return host, int(port)
