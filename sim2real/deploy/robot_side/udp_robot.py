"""The robot's end of a link over UDP: what a robot's driver, or a virtual robot, talks through."""

import contextlib
import secrets
import socket
from typing import Any, Self, final

import numpy as np

from sim2real.deploy.driver import Array, Command, Health, StopMode
from sim2real.deploy.robot_side.keys import check_key
from sim2real.deploy.robot_side.lease import Lease
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
from sim2real.signals import Measured

_WATCHERS = 4  # who may watch at a time
_HOLD = 500_000_000  # ns of silence after which another client may take the robot
_AT_ONCE = 64  # datagrams a turn: a flood of them must not stop the robot's own loop


@final
class UdpRobot:
    """Measurements out, commands in: one `exchange` in each turn of the robot's own loop.

    A command holds as long as it says. When it has lapsed, the robot damps, and so it does from
    the start: whatever happens to the controller, no command stays.
    """

    def __init__(self, robot: Robot, address: str = DEFAULT_ADDRESS, key: bytes | None = None):
        """Describe the robot's end.

        Args:
            robot: the robot.
            address: where it listens, host:port.
            key: what both ends share; needed if others than this computer can reach the address.

        Raises:
            LinkError: the address is none, or needs a key.
        """
        self.robot = robot
        self.reset_requested = False
        """Whether the client asks to be put back to the start; answer with `reset_done`."""
        self._ncommand = len(robot.driven)
        self._peer = parse_address(address)
        check_key(self._peer[0], key)
        self._key = key
        self._id = robot_id(robot)
        self._socket: socket.socket | None = None
        self._client: Any = None
        self._watchers: dict[Any, tuple[int, int]] = {}
        """Session, and when they were heard of [ns], of those who get measurements only."""
        self._session = self._heard = self._newest = self._now = self._challenge = 0
        self._seq = self._episode = 0
        self._lease = Lease(robot)
        self._latencies = (0, 0)

    @property
    def address(self) -> str:
        """The address that clients connect to, host:port."""
        host, port = self._socket.getsockname() if self._socket else self._peer
        return f"{host}:{port}"

    @property
    def damping(self) -> bool:
        """Whether no command is held."""
        return self._lease.damping

    @property
    def held(self) -> Command | None:
        """The command that is held, as the client gave it; None while the robot damps."""
        return self._lease.command

    @property
    def stop_mode(self) -> StopMode:
        """How the robot stops while it damps: what the client asked for."""
        return self._lease.mode

    @property
    def in_use(self) -> bool:
        """Whether a client holds or watches the robot and has been heard of lately."""
        held = self._client is not None and self._now - self._heard < _HOLD
        return held or bool(self._watchers)

    @property
    def latency(self) -> float:
        """Mean time from a measurement to the turn that takes its answer [s]; 0 before any."""
        total, count = self._latencies
        return total * 1e-9 / max(count, 1)

    def open(self) -> None:
        """Listen; raises LinkError if the address is not free."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind(self._peer)
        except OSError as error:
            self.close()
            raise LinkError(
                f"cannot listen at {self.address} ({error.strerror}): another robot may run there:"
                " stop it, or choose another port"
            ) from None

    def close(self) -> None:
        """Stop listening; a client notices that measurements stop."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def exchange(self, now: int, measured: Measured, health: Health | None = None) -> Array:
        """Send a measurement; return the command (ncommand,) to act on until the next exchange.

        What is not finite is not sent: the client sees that nothing comes.

        Args:
            now: the robot's clock [ns].
            measured: what the robot measures, each signal (size,).
            health: what it says of itself beside that.
        """
        self._seq, self._now = self._seq + 1, now
        self._receive(now)
        command = self._lease.act(now, measured)
        told, values = _health(health)
        values = [*measured.row(), *values]
        if np.isfinite(values).all():
            self._tell(now, tuple(values), told)
        return command

    def reset_done(self) -> None:
        """Tell the client that the robot is at its start; nothing is held any more."""
        self.reset_requested = False
        self._lease.stop()
        self._episode += 1

    def _receive(self, now: int) -> None:
        if self._socket is None:
            raise LinkError("the robot's end of the link is not open: call open() first")
        for _ in range(_AT_ONCE):
            try:
                data, sender = self._socket.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # the last client is gone: some systems report it here
            packet = Packet.decode(data, self._key)
            if packet is not None:
                self._take(packet, sender, now)

    def _take(self, packet: Packet, sender: Any, now: int) -> None:
        if packet.kind == Kind.WATCH:
            self._watch(packet, sender, now)
            return
        held = (sender, packet.session) == (self._client, self._session)
        if packet.kind == Kind.HELLO and not held:
            if packet.robot != self._id or (self._client and now - self._heard < _HOLD):
                self._refuse(packet, sender)
                return
            self._client, self._session = sender, packet.session
            self._newest, self._challenge = 0, secrets.randbits(64)
            self._lease.begin()
        elif not held or packet.seq <= self._newest or packet.robot != self._id:
            return
        elif packet.challenge != self._challenge and packet.kind != Kind.HELLO:
            return  # not of this session: repeated from a recording
        self._newest, self._heard = packet.seq, now
        self._obey(packet, now)

    def _watch(self, packet: Packet, sender: Any, now: int) -> None:
        if packet.robot != self._id or (sender not in self._watchers and self._full):
            self._refuse(packet, sender)
        else:
            self._watchers[sender] = packet.session, now

    @property
    def _full(self) -> bool:
        return len(self._watchers) >= _WATCHERS

    def _obey(self, packet: Packet, now: int) -> None:
        if packet.kind == Kind.COMMAND and len(packet.values) == self._ncommand + 1:
            *target, stiffness = packet.values
            command = Command(
                seq=packet.seq, valid_until=packet.time, target=np.array(target),
                stiffness=min(max(stiffness, 0.0), 1.0))  # fmt: skip
            self._lease.take(command, now)
            total, count = self._latencies
            self._latencies = (total + now - packet.answers, count + 1)
        elif packet.kind == Kind.DAMP:
            self._lease.stop(_stop_mode(packet.values))
        elif packet.kind == Kind.RESET and packet.episode == self._episode:
            self.reset_requested = True
            self._lease.stop()
        elif packet.kind == Kind.BYE:
            self._client = None
            self._lease.stop()

    def _refuse(self, packet: Packet, sender: Any) -> None:
        answer = Packet(kind=Kind.REFUSED, robot=self._id, session=packet.session, seq=self._seq)
        self._transmit(answer, sender)

    def _tell(self, now: int, values: tuple[float, ...], told: Told) -> None:
        """Send a measurement to whoever holds the robot, and to those who watch."""
        self._watchers = {w: said for w, said in self._watchers.items() if now - said[1] < _HOLD}
        receivers = {w: session for w, (session, _) in self._watchers.items()}
        if self._client is not None:
            receivers[self._client] = self._session
        for receiver, session in receivers.items():
            packet = Packet(
                kind=Kind.MEASUREMENT, robot=self._id, session=session, episode=self._episode,
                seq=self._seq, time=now, values=values,
                answers=told | (Told(0) if self.damping else Told.ACTING),
                challenge=self._challenge if receiver == self._client else 0,
            )  # fmt: skip
            self._transmit(packet, receiver)

    def _transmit(self, packet: Packet, receiver: Any) -> None:
        assert self._socket is not None  # checked by _receive
        with contextlib.suppress(OSError):  # a lost datagram: the client sees none come
            self._socket.sendto(packet.encode(self._key), receiver)


def _health(health: Health | None) -> tuple[Told, list[float]]:
    """Return what is told of a robot's health, and the numbers."""
    told, values = Told(0), list[float]()
    if health is not None and health.temperature is not None:
        told, values = told | Told.TEMPERATURE, health.temperature.tolist()
    if health is not None and health.voltage is not None:
        told, values = told | Told.VOLTAGE, [*values, health.voltage]
    return told, values


def _stop_mode(values: tuple[float, ...]) -> StopMode:
    """Return the mode that a client asks for; what is not understood damps."""
    known = {float(mode): mode for mode in StopMode}
    return known.get(values[0], StopMode.DAMP) if values else StopMode.DAMP
