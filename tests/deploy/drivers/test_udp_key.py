"""A link with a key: what was not sealed with it, and for this session, does nothing."""

import contextlib
import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim2real.deploy.driver import Command, connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.robot_side.keys import load_key
from sim2real.deploy.robot_side.packets import Kind, Packet, parse_address, robot_id
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import LinkError
from sim2real.signals import Measured

KEY, OTHER = b"k" * 32, b"o" * 32
STILL = Measured(position=np.array([0.3]), velocity=np.array([0.0]))
DAMPED = [0.0]


@contextlib.contextmanager
def turning(side):
    """Let the robot's loop turn in a thread."""
    ended = threading.Event()

    def turn():
        while not ended.wait(0.001):
            side.exchange(time.monotonic_ns(), STILL)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Tap:
    """Stands between client and robot, and keeps what the client sends."""

    def __init__(self, address):
        self.robot = parse_address(address)
        self.kept: list[bytes] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(self.robot)
        self.socket.setblocking(False)

    def send(self, packet, key=KEY):
        data = packet if isinstance(packet, bytes) else packet.encode(key)
        self.kept.append(data)
        self.socket.send(data)

    def challenge(self, key=KEY):
        """The newest that the robot has told."""
        newest = 0
        with contextlib.suppress(BlockingIOError):
            while packet := Packet.decode(self.socket.recv(65536), key):
                newest = packet.challenge
        return newest


@pytest.fixture
def side(pendulum):
    with UdpRobot(pendulum, "127.0.0.1:0", KEY) as side:
        yield side


@pytest.fixture
def tap(side):
    tap = Tap(side.address)
    yield tap
    tap.socket.close()


def packet(robot, kind, seq, *values, challenge=0, until=10**12):
    return Packet(kind=kind, robot=robot_id(robot), session=7, seq=seq, time=until,
                  challenge=challenge, values=values)  # fmt: skip


def test_a_client_with_the_key_drives(pendulum, side):
    driver = UdpDriver(pendulum, side.address, KEY)
    with turning(side), connected(driver):
        stamp = driver.read().stamp
        driver.write(Command(seq=1, valid_until=stamp + 10**10, target=np.array([1.0])))
        for _ in range(5000):
            if not side.damping:
                return
            time.sleep(0.001)
    raise AssertionError("the command did not come")


@pytest.mark.parametrize("key", [None, OTHER])
def test_a_client_without_the_key_is_not_even_answered(pendulum, side, key):
    with turning(side), pytest.raises(LinkError, match="no robot answers"):
        UdpDriver(pendulum, side.address, key).open()
    assert not side.in_use


def test_a_robot_without_the_key_is_not_believed(pendulum):
    with UdpRobot(pendulum, "127.0.0.1:0", OTHER) as side, turning(side):
        driver = UdpDriver(pendulum, side.address, KEY)
        with pytest.raises(LinkError, match="no robot answers"):
            driver.open()


def test_a_recorded_session_moves_nothing_when_it_is_repeated(pendulum, side, tap):
    now = 0
    tap.send(packet(pendulum, Kind.HELLO, 1))
    side.exchange(now, STILL)
    challenge = tap.challenge()
    for seq in range(2, 20):
        tap.send(packet(pendulum, Kind.COMMAND, seq, 1.5, 1.0, challenge=challenge))
        assert side.exchange(now, STILL).tolist() == [1.5]
    tap.send(packet(pendulum, Kind.BYE, 99, challenge=challenge))
    assert side.exchange(now, STILL).tolist() == DAMPED
    for data in list(tap.kept):  # all of it again, to a robot that is free
        tap.send(data)
        assert side.exchange(now, STILL).tolist() == DAMPED


def test_within_a_session_what_is_repeated_or_overtaken_does_nothing(pendulum, side, tap):
    tap.send(packet(pendulum, Kind.HELLO, 1))
    side.exchange(0, STILL)
    challenge = tap.challenge()
    first, second = (
        packet(pendulum, Kind.COMMAND, seq, torque, 1.0, challenge=challenge).encode(KEY)
        for seq, torque in ((2, 0.5), (3, 1.5))
    )
    for data, expected in ((second, 1.5), (first, 1.5), (second, 1.5)):
        tap.send(data)
        assert side.exchange(0, STILL).tolist() == [expected]


def test_a_guessed_challenge_does_nothing(pendulum, side, tap):
    tap.send(packet(pendulum, Kind.HELLO, 1))
    side.exchange(0, STILL)
    tap.send(packet(pendulum, Kind.COMMAND, 2, 1.5, 1.0, challenge=tap.challenge() ^ 1))
    assert side.exchange(0, STILL).tolist() == DAMPED


@given(st.data())
def test_a_sealed_datagram_that_is_changed_anywhere_is_none(data):
    whole = Packet(kind=Kind.COMMAND, robot=bytes(8), session=7, seq=1, values=(1.0, 1.0))
    sealed = bytearray(whole.encode(KEY))
    assert Packet.decode(bytes(sealed), KEY) == whole
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert Packet.decode(bytes(sealed), KEY) is None


@given(st.binary(max_size=300), st.sampled_from([None, KEY]))
def test_no_bytes_are_a_datagram_by_chance(data, key):
    for tail in (data, b"S2RL\x03" + data):
        assert Packet.decode(tail, key) is None


def test_a_flood_does_not_stop_the_robots_own_loop(pendulum, side, tap):
    for _ in range(300):
        tap.socket.send(b"noise")
    side.exchange(0, STILL)  # returns, and leaves the rest for later turns
    side._socket.setblocking(False)
    assert side._socket.recv(100) == b"noise"


@pytest.mark.parametrize("address", ["0.0.0.0:9870", "192.0.2.7:9870"])
def test_a_link_that_leaves_the_computer_needs_a_key(pendulum, address):
    for end in (UdpDriver, UdpRobot):
        with pytest.raises(LinkError, match="give both ends the same key"):
            end(pendulum, address)
        assert end(pendulum, address, KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_an_address_of_ipv6_is_refused_with_and_without_a_key(pendulum, key):
    for end in (UdpDriver, UdpRobot):
        with pytest.raises(LinkError, match="IPv4"):
            end(pendulum, "::1:9870", key)


@pytest.mark.parametrize("address", ["127.0.0.1:9870", "127.3.2.1:9870", "localhost:9870"])
def test_a_link_that_stays_needs_none(pendulum, address):
    assert UdpDriver(pendulum, address)


def test_a_key_is_read_only_if_nobody_else_can(tmp_path):
    path = tmp_path / "link.key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o644)
    with pytest.raises(LinkError, match="others may read this key: chmod 600"):
        load_key(path)
    path.chmod(0o600)
    assert load_key(path) == KEY
    path.write_bytes(b"short")
    with pytest.raises(LinkError, match="5 bytes is too short"):
        load_key(path)
    with pytest.raises(LinkError, match="cannot be read"):
        load_key(tmp_path / "none")
