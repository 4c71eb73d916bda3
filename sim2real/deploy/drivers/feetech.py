"""A robot of Feetech STS servos on one serial bus, like the SO-101."""

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from sim2real import config
from sim2real.deploy.driver import Array, Command, Health, Measurement, StopMode, check_command
from sim2real.deploy.drivers import feetech_protocol as protocol
from sim2real.deploy.drivers.feetech_protocol import Fault, Instruction, Register, StatusParser
from sim2real.errors import ConfigError, LinkError, MissingExtraError
from sim2real.robot import Robot
from sim2real.signals import Measured

TICKS = 4096
"""Of a turn."""
_RADIANS = 2.0 * math.pi / TICKS
_FIRST, _SIZE = protocol.PRESENT_POSITION.address, 8  # position, velocity, load, voltage, °C
_PATIENCE = 0.02  # s, for all answers to a request
_BUSY = 0.003  # s, that `write` waits for answers that are on their way
_ATTEMPTS = 10
_VOLT = 0.1


@dataclass(frozen=True, kw_only=True)
class Servo:
    """One servo of the bus."""

    id: int
    zero: int = TICKS // 2
    """Its position [ticks] where the joint's is 0."""
    direction: int = 1
    """-1 if it turns against the joint."""

    def __post_init__(self) -> None:
        if not 0 <= self.id <= 253 or self.direction not in (-1, 1):
            raise ConfigError(
                f"servo {self.id}, direction {self.direction}: an id is 0 to 253, a direction 1"
                " or -1"
            )


@dataclass(frozen=True, kw_only=True)
class Bus:
    """What hangs on the bus: a `feetech.toml`."""

    servos: dict[str, Servo]
    """Joint → servo."""
    baud: int = 1_000_000
    gains: tuple[int, int, int] = (16, 0, 32)
    """The servos' own P, I and D, to which `kp` and `kd` of robot.toml belong."""

    @classmethod
    def load(cls, path: Path) -> "Bus":
        """Return what a file says; raises ConfigError."""
        return config.load(cls, path)


@final
class FeetechDriver:
    """Position servos on a serial port, which no other program may use at the same time.

    The bus has one pair of wires for both directions: `write` sends the goals and asks for the
    next measurement, which `read` takes when it has come. So a measurement is as old as the time
    between two writes, or less. The servos hold their last goal for ever: put this driver behind
    `robot_side.hold.serve`, in a process of its own, and they damp when the controller dies.
    """

    def __init__(self, robot: Robot, port: str, bus: Bus):
        self.robot = robot
        self.port = port
        self.bus = bus
        if set(bus.servos) != set(robot.joints) or any(
            joint.mode != "position" for joint in robot.joints.values()
        ):
            raise ConfigError(
                f"robot {robot.name!r} with joints {', '.join(robot.joints)}, servos for"
                f' {", ".join(bus.servos)}: give each joint a servo, and mode = "position"'
            )
        servos = [bus.servos[name] for name in robot.joints]
        self._ids = tuple(servo.id for servo in servos)
        if len(set(self._ids)) != len(self._ids):
            raise ConfigError(f"servo ids {self._ids}: each servo needs one of its own")
        self._zero = np.array([servo.zero for servo in servos])
        self._direction = np.array([servo.direction for servo in servos])
        self._servo = np.ones(len(servos), bool)
        self._serial: Any = None
        self._parser = StatusParser()
        self._answers: dict[int, bytes] = {}
        self._asked = 0
        """When the pending request was sent [ns]; 0 if none is."""
        self._latest: Measurement | None = None
        self._seq = 0
        self.lost = 0
        """Requests that not all servos answered."""

    def open(self) -> None:
        """Check each servo, and let it hold the position where it is."""
        if self._serial is not None:
            return
        self._serial = _open_port(self.port, self.bus.baud)
        self._latest, self._seq = None, 0
        try:
            for joint, servo in self.bus.servos.items():
                self._check(joint, servo.id)
            for _ in range(_ATTEMPTS):
                self._request()
                if self._wait(_PATIENCE):
                    break
            if self._latest is None:
                raise LinkError(f"not all servos at {self.port} answer together: check the wiring")
            self.stop()
            self._send(protocol.sync_write(protocol.ACCELERATION, dict.fromkeys(self._ids, 254)))
            self._send(protocol.sync_write(protocol.TORQUE_ENABLE, dict.fromkeys(self._ids, 1)))
        except BaseException:
            self.close()
            raise

    def read(self) -> Measurement | None:
        """Return the newest measurement."""
        if self._serial is None:
            raise LinkError(f"the bus at {self.port} is not open: call open() first")
        self._receive()
        if not self._asked:
            self._request()  # nobody writes: a controller in shadow mode
        elif time.monotonic_ns() - self._asked > _PATIENCE * 1e9:
            self.lost += 1
            self._request()
        return self._latest

    def write(self, command: Command) -> None:
        """Send the goals; the servos' firmware knows no lease."""
        if self._serial is None or self._latest is None:
            raise LinkError(f"the bus at {self.port} is not open: call open() first")
        check_command(self.robot, command)
        self._wait(_BUSY)  # while servos answer, goals would collide with what they say
        self._send_goals(command.softened(self._latest.signals.position, self._servo))
        self._request()

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        """Hold the measured pose, which is what damps a servo; OFF lets the robot fall."""
        with contextlib.suppress(Exception):
            if mode == StopMode.OFF:
                self._send(protocol.sync_write(protocol.TORQUE_ENABLE, dict.fromkeys(self._ids, 0)))
            elif self._latest is not None:
                self._send_goals(self._latest.signals.position)

    def close(self) -> None:
        """Hold the measured pose, and let go of the port."""
        self.stop()
        if self._serial is not None:
            with contextlib.suppress(Exception):
                self._serial.close()
            self._serial = None

    def _check(self, joint: str, servo: int) -> None:
        """Refuse a servo that is not there, or does not do what robot.toml says."""
        if self._transact(servo, protocol.instruction(servo, Instruction.PING)) is None:
            raise LinkError(
                f"servo {servo} ({joint}) does not answer at {self.port}: check power, wiring, id"
                f" and baud rate ({self.bus.baud})"
            )
        wanted = dict(zip(("P", "I", "D"), self.bus.gains, strict=True)) | {"operating mode": 0}
        registers = (protocol.P_GAIN, protocol.I_GAIN, protocol.D_GAIN, protocol.OPERATING_MODE)
        for (name, value), register in zip(wanted.items(), registers, strict=True):
            found = self._register(servo, register)
            if found != value:
                raise LinkError(
                    f"servo {servo} ({joint}) has {name} = {found}, not {value}: set it so, or"
                    " give its own in feetech.toml and calibrate kp and kd anew"
                )

    def _register(self, servo: int, register: Register) -> int | None:
        data = self._transact(servo, protocol.read(servo, register.address, register.size))
        return None if data is None or len(data) != register.size else register.decode(data)

    def _transact(self, servo: int, packet: bytes) -> bytes | None:
        """Return what a servo answers, None if it does not."""
        for _ in range(_ATTEMPTS):
            self._clear()
            self._send(packet)
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                for status in self._parser.feed(self._bytes(wait=True)):
                    if status.servo == servo:
                        self._check_fault(servo, status.fault)
                        return status.data
        return None

    def _wait(self, patience: float) -> bool:
        """Return whether the pending request is answered in time."""
        deadline = time.monotonic() + patience
        while self._asked and time.monotonic() < deadline:
            self._receive(wait=True)
        return not self._asked

    def _request(self) -> None:
        self._clear()
        self._asked = time.monotonic_ns()
        self._send(protocol.sync_read(self._ids, _FIRST, _SIZE))

    def _receive(self, *, wait: bool = False) -> None:
        for status in self._parser.feed(self._bytes(wait=wait)):
            if self._asked and status.servo in self._ids:
                self._check_fault(status.servo, status.fault)
                if len(status.data) == _SIZE:
                    self._answers[status.servo] = status.data
        if self._asked and len(self._answers) == len(self._ids):
            self._latest = self._measurement()
            self._asked = 0

    def _measurement(self) -> Measurement:
        rows = [self._answers[servo] for servo in self._ids]
        position, velocity, voltage, temperature = (
            np.array([register.decode(row[register.address - _FIRST :]) for row in rows])
            for register in (protocol.PRESENT_POSITION, protocol.PRESENT_VELOCITY,
                             protocol.PRESENT_VOLTAGE, protocol.PRESENT_TEMPERATURE)
        )  # fmt: skip
        self._seq += 1
        return Measurement(
            seq=self._seq,
            stamp=self._asked,  # they measure after that: it is not older
            received=self._asked,
            signals=Measured(
                position=self._direction * (position - self._zero) * _RADIANS,
                velocity=self._direction * velocity * _RADIANS,
            ),
            health=Health(temperature=temperature.astype(float), voltage=_VOLT * voltage.min()),
        )

    def _send_goals(self, position: Array) -> None:
        ticks = np.rint(self._zero + self._direction * position / _RADIANS)
        goals = np.clip(ticks, 0, TICKS - 1).astype(int).tolist()
        values = dict(zip(self._ids, goals, strict=True))
        self._send(protocol.sync_write(protocol.GOAL_POSITION, values))

    def _check_fault(self, servo: int, fault: int) -> None:
        if fault:
            joint = next(name for name, each in self.bus.servos.items() if each.id == servo)
            raise LinkError(
                f"servo {servo} ({joint}) reports {Fault(fault)}: its torque may be off"
            )

    def _clear(self) -> None:
        """Forget answers to older requests."""
        self._bytes()
        self._parser.clear()
        self._answers.clear()

    def _bytes(self, *, wait: bool = False) -> bytes:
        try:
            waiting = self._serial.in_waiting
            return self._serial.read(max(1, waiting)) if wait or waiting else b""
        except OSError as error:
            raise LinkError(f"the serial port {self.port} is gone: {error}") from None

    def _send(self, packet: bytes) -> None:
        try:
            self._serial.write(packet)
        except OSError as error:
            raise LinkError(f"cannot send to {self.port}: {error}") from None


def _open_port(port: str, baud: int) -> Any:
    try:
        import serial
    except ModuleNotFoundError:
        raise MissingExtraError("pyserial", "feetech") from None
    try:
        opened = serial.Serial(port, baud, timeout=0.001, write_timeout=0, exclusive=True)
    except (OSError, ValueError) as error:
        raise LinkError(
            f"the serial port {port} cannot be opened ({error}): is it plugged in, may this user"
            " use it (group dialout), and does no other program hold it?"
        ) from None
    with contextlib.suppress(Exception):
        opened.set_low_latency_mode(True)  # a USB adapter that gathers bytes for 16 ms otherwise
    return opened
