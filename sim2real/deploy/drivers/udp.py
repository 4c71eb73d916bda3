"""The controller's end of a link over UDP; the robot's end is in `robot_side.udp_robot`."""

import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from typing import final

import numpy as np

from sim2real.deploy.driver import Array, Command, Health, Measurement, StopMode, check_command
from sim2real.deploy.drivers.robot_clock import RobotClock
from sim2real.deploy.robot_side.keys import check_key
from sim2real.deploy.robot_side.packets import (
    DEFAULT_ADDRESS,
    LARGEST,
    Kind,
    Packet,
    Told,
    parse_address,
    robot_id,
)
from sim2real.errors import LinkError
from sim2real.robot import Robot
from sim2real.signals import Measured, row_size

_PATIENCE = 1.0  # s, for an answer
_INTERVAL = 0.05  # s, between two attempts
_KEEPALIVE = 200_000_000  # ns; a silent client loses the robot
_KNOWN = sum(Told)


@final
class UdpDriver:
    """A client of `UdpRobot`: one that commands, or up to four that watch and send nothing."""

    def __init__(
        self,
        robot: Robot,
        address: str = DEFAULT_ADDRESS,
        key: bytes | None = None,
        *,
        watch: bool = False,
    ):
        """Describe the connection.

        Args:
            robot: the robot.
            address: where it listens, host:port.
            key: what both ends share; needed if the address is not on this computer.
            watch: whether to get measurements only, beside whoever commands.

        Raises:
            LinkError: the address is none, or needs a key.
        """
        self.robot = robot
        self.address = address
        self.watch = watch
        self._hello = Kind.WATCH if watch else Kind.HELLO
        self._peer = parse_address(address)
        check_key(self._peer[0], key)
        self._key = key
        self._id = robot_id(robot)
        self._nmeasured, self._ncommand = row_size(robot), len(robot.driven)
        self._socket: socket.socket | None = None
        self._clock = RobotClock()
        self._latest: Measurement | None = None
        self._session = self._seq = self._episode = self._sent = self._challenge = 0
        self._refusal = ""

    def open(self) -> None:  # noqa: D102
        if self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._session, self._challenge, self._refusal = secrets.randbits(32), 0, ""
        self._latest, self._clock = None, RobotClock()
        try:
            self._socket.connect(self._peer)  # nobody else's datagrams arrive
            self._repeat(self._hello, lambda: self._latest is not None or self._refusal != "")
        except OSError as error:
            self.close()
            raise LinkError(f"{self.address} cannot be reached: {error}") from None
        except BaseException:
            self.close()
            raise
        if self._latest is None:
            self.close()
            raise LinkError(
                self._refusal
                or f"no robot answers at {self.address}: start its driver there, or a virtual robot"
                f" (sim2real robot {self.robot.name}), or give the address and key of one that runs"
            )

    def read(self) -> Measurement | None:  # noqa: D102
        if self._socket is None:
            raise LinkError(f"the link to {self.address} is not open: call open() first")
        while (packet := self._receive(self._socket)) is not None:
            self._take(packet)
        if time.monotonic_ns() - self._sent > _KEEPALIVE:
            self._send(self._hello)
        return self._latest

    def write(self, command: Command) -> None:  # noqa: D102
        if self._socket is None or self._latest is None:
            raise LinkError(f"the link to {self.address} is not open: call open() first")
        if self.watch:
            raise LinkError("a driver that watches sends no commands: open one without watch=True")
        check_command(self.robot, command)
        values = (*command.target.tolist(), command.stiffness)
        self._send(Kind.COMMAND, command.valid_until, values, answers=self._latest.stamp)

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:  # noqa: D102
        with contextlib.suppress(LinkError):
            self._send(Kind.DAMP, values=(float(mode),))

    def reset(self) -> None:
        """Have the robot put itself back to its start; raises LinkError if it does not."""
        self.read()
        episode = self._episode
        if not self._repeat(Kind.RESET, lambda: self._episode != episode):
            raise LinkError(
                f"the robot at {self.address} does not reset itself: bring it to its start by hand"
            )

    def close(self) -> None:  # noqa: D102
        self.stop()
        with contextlib.suppress(LinkError):
            self._send(Kind.BYE)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _repeat(self, kind: Kind, done: Callable[[], bool]) -> bool:
        """Send until `done()`; return whether it was, in time."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self._send(kind)
            resend = time.monotonic() + _INTERVAL
            while time.monotonic() < resend:
                self.read()
                if done():
                    return True
                time.sleep(0.001)
        return False

    def _send(
        self, kind: Kind, until: int = 0, values: tuple[float, ...] = (), answers: int = 0
    ) -> None:
        if self._socket is None or (self.watch and kind != Kind.WATCH):
            return
        self._seq += 1
        self._sent = time.monotonic_ns()
        packet = Packet(
            kind=kind, robot=self._id, session=self._session, episode=self._episode, seq=self._seq,
            time=until, answers=answers, challenge=self._challenge, values=values,
        )  # fmt: skip
        try:
            self._socket.send(packet.encode(self._key))
        except (ConnectionError, BlockingIOError):
            pass  # nobody listens there (yet), or a full queue: a lost datagram
        except OSError as error:
            raise LinkError(f"cannot send to {self.address}: {error}") from None

    def _receive(self, connection: socket.socket) -> bytes | None:
        """Return the next datagram, None if there is none."""
        try:
            return connection.recv(LARGEST)
        except BlockingIOError:
            return None
        except ConnectionError:
            return b""  # nobody listens there: silence, which the age of measurements tells

    def _take(self, data: bytes) -> None:
        packet = Packet.decode(data, self._key)
        if packet is None or packet.session != self._session:
            return
        if packet.kind == Kind.REFUSED:
            self._refusal = self._reason(packet)
            return
        newer = self._latest is None or packet.seq > self._latest.seq
        if packet.kind != Kind.MEASUREMENT or packet.robot != self._id or not newer:
            return
        told, values = Told(packet.answers & _KNOWN), np.array(packet.values)
        ends = self._nmeasured + np.cumsum([0, self._ncommand * (Told.TEMPERATURE in told)])
        if len(values) != ends[-1] + (Told.VOLTAGE in told):
            return
        row, temperature, voltage = np.split(values, ends)
        self._episode, self._challenge = packet.episode, packet.challenge
        self._latest = Measurement(
            seq=packet.seq,
            stamp=packet.time,
            received=self._clock.local(packet.time, time.monotonic_ns()),
            signals=Measured.split(self.robot, row),
            health=_health(temperature, voltage),
            acting=Told.ACTING in told,
        )

    def _reason(self, packet: Packet) -> str:
        if packet.robot == self._id:
            return (
                f"the robot at {self.address} is held by another client: stop that one first; a"
                " robot takes commands from one at a time, and keeps waiting half a second for it"
            )
        return (
            f"the robot at {self.address} is another one ({packet.robot.hex()}) than"
            f" {self.robot.name!r} ({self._id.hex()}): joints, modes, gains or limits differ: start"
            " both ends with the same robot.toml"
        )


def _health(temperature: Array, voltage: Array) -> Health | None:
    """Return what a robot said of itself, in arrays that are empty where it said nothing."""
    if not temperature.size and not voltage.size:
        return None
    return Health(
        temperature=temperature if temperature.size else None,
        voltage=float(voltage[0]) if voltage.size else None,
    )
