"""STS servos behind a pseudo-terminal: they parse, move and answer as the manual says.

Written from the manual, not with the driver's own protocol code: one mistake in both would hide.
"""

import os
import pty
import select
import threading
import tty
from collections.abc import Callable

import pytest

Faulty = Callable[[bytes], bytes]


def intact(packet: bytes) -> bytes:
    return packet


class Servos:
    """Servos that stand where they are told to be as soon as they are asked again."""

    def __init__(self, ids: list[int], answer: Faulty = intact, hear: Faulty = intact):
        self.memory = {servo: bytearray(128) for servo in ids}
        for memory in self.memory.values():
            memory[21:24] = bytes((16, 32, 0))  # P, D, I
            memory[56:58] = (2048).to_bytes(2, "little")
            memory[62:64] = bytes((74, 31))  # 7.4 V, 31 °C
        self.fault = dict.fromkeys(ids, 0)
        self.answer, self.hear = answer, hear
        self.heard: list[tuple[int, int, bytes]] = []
        """Whole packets: id, instruction, parameters."""
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path, self._slave = os.ttyname(slave), slave
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()  # before its terminal's number is given to another one
        os.close(self._slave)
        os.close(self.master)

    def number(self, servo: int, address: int) -> int:
        return int.from_bytes(self.memory[servo][address : address + 2], "little")

    def _serve(self):
        received = b""
        while not self._ended.is_set():
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            received += self.hear(os.read(self.master, 1024))
            while (rest := self._packet(received)) is not None:
                received = rest

    def _packet(self, received: bytes) -> bytes | None:
        """Obey the first packet; return what follows it, None if there is no whole one."""
        start = received.find(b"\xff\xff")
        if start < 0 or len(received) < start + 4:
            return None
        servo, length = received[start + 2 : start + 4]
        body = received[start + 2 : start + 4 + length]
        if len(body) < length + 2:
            return None
        if (~sum(body[:-1])) & 255 != body[-1]:
            return received[start + 1 :]
        self.heard.append((servo, body[2], body[3:-1]))
        self._obey(servo, body[2], body[3:-1])
        return received[start + 4 + length :]

    def _obey(self, servo: int, instruction: int, parameters: bytes):
        if instruction == 0x83:  # sync write
            address, size, *values = parameters
            for at in range(0, len(values), size + 1):
                self._set(values[at], address, bytes(values[at + 1 : at + 1 + size]))
        elif instruction == 0x82:  # sync read
            for each in parameters[2:]:
                self._tell(each, parameters[0], parameters[1])
        elif servo in self.memory and instruction == 0x03:
            self._set(servo, parameters[0], parameters[1:])
            self._reply(servo, b"")
        elif servo in self.memory and instruction == 0x02:
            self._tell(servo, parameters[0], parameters[1])
        elif servo in self.memory and instruction == 0x01:
            self._reply(servo, b"")

    def _set(self, servo: int, address: int, data: bytes):
        if servo in self.memory:
            self.memory[servo][address : address + len(data)] = data

    def _tell(self, servo: int, address: int, size: int):
        if servo in self.memory:
            memory = self.memory[servo]
            self._reply(servo, bytes(memory[address : address + size]))
            if memory[40]:
                memory[56:58] = memory[42:44]

    def _reply(self, servo: int, data: bytes):
        body = bytes((servo, len(data) + 2, self.fault[servo])) + data
        os.write(self.master, self.answer(b"\xff\xff" + body + bytes(((~sum(body)) & 255,))))


@pytest.fixture(name="Servos")
def servos() -> type[Servos]:
    """The class: a test makes servos of its own."""
    return Servos
