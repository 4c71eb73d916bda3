"""Packets of Feetech's serial bus, and the registers of its STS servos.

    FF FF · id · length · instruction · parameters · checksum        to the servos
    FF FF · id · length · error flags · parameters · checksum        from one of them

`length` counts what follows it; the checksum is the inverted low byte of the sum of all after
FF FF; numbers are little-endian. As in Feetech's communication protocol manual and the memory table
of the STS3215.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import final

from sim2real.errors import LinkError

BROADCAST = 0xFE
_HEADER = b"\xff\xff"
_SHORTEST = 6  # header, id, length, error, checksum
_LARGEST_ID = 253


class Instruction(IntEnum):
    """What a packet asks of a servo."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


class Fault(IntFlag):
    """What a servo reports with each answer."""

    VOLTAGE = 1
    ENCODER = 2
    TEMPERATURE = 4
    CURRENT = 8
    OVERLOAD = 32

    def __str__(self) -> str:
        """Return the names of the faults."""
        return ", ".join((flag.name or "").lower() for flag in Fault if flag in self) or "unknown"


@dataclass(frozen=True)
class Register:
    """A number in a servo's memory."""

    address: int
    size: int
    sign: int | None = None
    """The bit that holds the sign; None for a number without one."""

    @property
    def largest(self) -> int:
        """The largest number that it holds."""
        bits = 8 * self.size if self.sign is None else self.sign
        return (1 << bits) - 1

    def encode(self, value: int) -> bytes:
        """Return the bytes of a number; raises LinkError if it does not fit."""
        if not (0 if self.sign is None else -self.largest) <= value <= self.largest:
            raise LinkError(f"{value} does not fit register {self.address} of {self.size} bytes")
        sign = 0 if self.sign is None or value >= 0 else 1 << self.sign
        return (abs(value) | sign).to_bytes(self.size, "little")

    def decode(self, data: bytes) -> int:
        """Return the number that bytes stand for."""
        raw = int.from_bytes(data[: self.size], "little")
        magnitude = raw & self.largest
        return -magnitude if self.sign is not None and raw >> self.sign & 1 else magnitude


MODEL = Register(3, 2)
P_GAIN, D_GAIN, I_GAIN = Register(21, 1), Register(22, 1), Register(23, 1)
OPERATING_MODE = Register(33, 1)
TORQUE_ENABLE = Register(40, 1)
ACCELERATION = Register(41, 1)
GOAL_POSITION = Register(42, 2, sign=15)
PRESENT_POSITION = Register(56, 2, sign=15)
PRESENT_VELOCITY = Register(58, 2, sign=15)
PRESENT_VOLTAGE = Register(62, 1)
PRESENT_TEMPERATURE = Register(63, 1)


def instruction(servo: int, kind: Instruction, parameters: bytes = b"") -> bytes:
    """Return a packet to a servo, or to all (`BROADCAST`)."""
    body = bytes((servo, len(parameters) + 2, kind)) + parameters
    return _HEADER + body + bytes((_checksum(body),))


def read(servo: int, address: int, size: int) -> bytes:
    """Return a packet that asks a servo for bytes of its memory."""
    return instruction(servo, Instruction.READ, bytes((address, size)))


def write(servo: int, register: Register, value: int) -> bytes:
    """Return a packet that writes a number to a servo's memory."""
    data = bytes((register.address,)) + register.encode(value)
    return instruction(servo, Instruction.WRITE, data)


def sync_read(servos: tuple[int, ...], address: int, size: int) -> bytes:
    """Return a packet that asks servos for the same bytes; they answer one after the other."""
    return instruction(BROADCAST, Instruction.SYNC_READ, bytes((address, size, *servos)))


def sync_write(register: Register, values: dict[int, int]) -> bytes:
    """Return a packet that writes a number to each of several servos; none answers."""
    data = b"".join(bytes((servo,)) + register.encode(value) for servo, value in values.items())
    head = bytes((register.address, register.size))
    return instruction(BROADCAST, Instruction.SYNC_WRITE, head + data)


@dataclass(frozen=True)
class Status:
    """What a servo answered."""

    servo: int
    fault: int
    """Bits of `Fault`; 0 if all is well."""
    data: bytes


@final
class StatusParser:
    """Finds answers in a stream of bytes, whatever is lost or damaged in it.

    It never holds more than one packet's worth of bytes that do not make a packet.
    """

    def __init__(self) -> None:
        self.refused = 0
        """Packets with a wrong checksum."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Status]:
        """Return the answers that are complete after `data`."""
        self._buffer += data
        found: list[Status] = []
        while (start := self._buffer.find(_HEADER)) >= 0:
            del self._buffer[:start]
            if len(self._buffer) < _SHORTEST:
                return found
            servo, length = self._buffer[2], self._buffer[3]
            if servo > _LARGEST_ID or length < 2:  # FF FF FF: the first one is noise
                del self._buffer[:1]
                continue
            if len(self._buffer) < length + 4:
                return found
            found += self._take(servo, length + 4)
        del self._buffer[: max(0, len(self._buffer) - 1)]  # the last byte may begin a header
        return found

    def clear(self) -> None:
        """Forget what was received of a packet."""
        self._buffer.clear()

    def _take(self, servo: int, size: int) -> list[Status]:
        packet = bytes(self._buffer[:size])
        if _checksum(packet[2:-1]) != packet[-1]:
            self.refused += 1
            del self._buffer[:1]  # a damaged length must not take the next packet with it
            return []
        del self._buffer[:size]
        return [Status(servo, packet[4], packet[5:-1])]


def _checksum(body: bytes) -> int:
    return ~sum(body) & 0xFF
