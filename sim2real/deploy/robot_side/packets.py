"""The datagrams between a controller's computer and a robot's.

    magic 4s · version u8 · kind u8 · count u16 · robot 8s · session u32 · episode u32 · seq u64
    · time i64 · answers i64 · challenge u64 · count × f64 · seal                (little-endian)

`time` is of the robot's clock [ns]: the stamp of a measurement, the end of a command's validity.
So a clock is compared with itself only, and neither a slow network nor a slow controller can
lengthen the life of a command. The values of a measurement are the robot's `measured_signals`, in
their order, and its `Health` where `Told` says so; those of a command its targets and its
stiffness; that of DAMP the `StopMode`.

The seal is a CRC-32 against damage, or, with a key that both ends share, 16 bytes of HMAC-SHA-256
(RFC 2104). What was recorded of another session is of no use to whoever repeats it: the client
draws the session's number, the robot answers with a challenge, and both stand in every datagram
after that. Within a session numbers only grow.
"""

import dataclasses
import hmac
import math
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from sim2real.deploy.spec import robot_hash
from sim2real.errors import LinkError
from sim2real.robot import Robot

MAGIC, VERSION = b"S2RL", 4
DEFAULT_ADDRESS = "127.0.0.1:9870"
LARGEST = 65507

_HEADER = struct.Struct("<4sBBH8sIIQqqQ")
_CRC = struct.Struct("<I")
_MAC = 16


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


class Told(IntFlag):
    """What a measurement says beside its signals, in its `answers`."""

    ACTING = 1
    """The robot acts on a command; without it, it damps."""
    TEMPERATURE = 2
    """After the signals come the temperatures of the motors, in the order of the driven joints."""
    VOLTAGE = 4
    """After these comes the voltage of the supply."""


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
    """Stamp of the measurement that a command answers; of a measurement what it tells: `Told`."""
    challenge: int = 0
    """What the robot drew for this session; 0 in a HELLO, which asks for it."""
    values: tuple[float, ...] = ()

    def encode(self, key: bytes | None = None) -> bytes:
        """Return the datagram, sealed with the key if there is one."""
        count = len(self.values)
        head = _HEADER.pack(
            MAGIC, VERSION, self.kind, count, self.robot, self.session, self.episode, self.seq,
            self.time, self.answers, self.challenge,
        )  # fmt: skip
        body = head + struct.pack(f"<{count}d", *self.values)
        return body + _seal(body, key)

    @classmethod
    def decode(cls, data: bytes, key: bytes | None = None) -> "Packet | None":
        """Return the packet, or None if `data` is foreign, damaged, or holds a non-finite value.

        With a key, nothing is looked at that was not sealed with it.
        """
        size = _CRC.size if key is None else _MAC
        if len(data) < _HEADER.size + size or data[:4] != MAGIC or data[4] != VERSION:
            return None
        body, seal = data[:-size], data[-size:]
        if not hmac.compare_digest(seal, _seal(body, key)):
            return None
        _, _, kind, count, robot, session, episode, seq, time, answers, challenge = (
            _HEADER.unpack_from(body)
        )
        if len(body) != _HEADER.size + 8 * count or kind not in set(Kind):
            return None
        values = struct.unpack_from(f"<{count}d", body, _HEADER.size)
        if not all(map(math.isfinite, values)):
            return None
        return cls(
            kind=Kind(kind), robot=robot, session=session, episode=episode, seq=seq, time=time,
            answers=answers, challenge=challenge, values=values,
        )  # fmt: skip


def _seal(body: bytes, key: bytes | None) -> bytes:
    if key is None:
        return _CRC.pack(zlib.crc32(body))
    return hmac.digest(key, body, "sha256")[:_MAC]


def robot_id(robot: Robot) -> bytes:
    """Return what both ends of a link must agree on: `robot_hash`, but for the control rate."""
    return bytes.fromhex(robot_hash(dataclasses.replace(robot, control_hz=1.0)))


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of 'host:port'; raises LinkError."""
    host, _, port = address.rpartition(":")
    if not host or ":" in host or not port.isdecimal() or int(port) > 65535:
        raise LinkError(
            f"{address!r} is no address: write host:port, like {DEFAULT_ADDRESS}; the host is a"
            " name or a number of IPv4"
        )
    return host, int(port)
