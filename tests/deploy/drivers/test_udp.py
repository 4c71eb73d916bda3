import contextlib
import dataclasses
import math
import socket
import threading
import time

import numpy as np
import pytest

from sim2real.deploy.driver import Command, Health, StopMode, connected
from sim2real.deploy.drivers.robot_clock import RobotClock
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.robot_side.packets import Kind, Packet, parse_address, robot_id
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import LinkError
from sim2real.signals import Measured

NOW = 1_000_000_000
MS = 1_000_000


def joint(position, velocity):
    return Measured(position=np.array([position]), velocity=np.array([velocity]))


def still(n, velocity=0.1):
    return Measured(position=np.full(n, 0.3), velocity=np.full(n, velocity))


@contextlib.contextmanager
def running(robot, address="127.0.0.1:0", health=None):
    """A robot's side whose loop turns in a thread; yields it and a list of what it was told."""
    told, stop = [], threading.Event()
    with UdpRobot(robot, address) as side:

        def turn():
            n = len(robot.joints)
            while not stop.is_set():
                told.append(side.exchange(time.monotonic_ns(), still(n), health))
                if side.reset_requested:
                    side.reset_done()
                time.sleep(0.001)

        thread = threading.Thread(target=turn)
        thread.start()
        try:
            yield side, told
        finally:
            stop.set()
            thread.join()


def write(driver, target, seconds=1.0):
    latest = driver.read()
    until = (latest.stamp if latest else 0) + round(seconds * 1e9)
    driver.write(Command(seq=1, valid_until=until, target=np.array(target)))


def until(condition, patience=5.0):
    """Wait for something that happens elsewhere."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Wire:
    """A client by hand: any datagram at any time, against a robot that has turns one by one."""

    def __init__(self, robot, side, session=7):
        self.robot, self.side, self.session = robot, side, session
        host, port = parse_address(side.address)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, port))
        self.socket.setblocking(False)

    def packet(self, kind, seq, *values, until=NOW + 100 * MS, **changes):
        challenge = self.side._challenge if kind != Kind.HELLO else 0  # as it has told
        packet = Packet(kind=kind, robot=robot_id(self.robot), session=self.session, seq=seq,
                        time=until, challenge=challenge, values=values)  # fmt: skip
        return dataclasses.replace(packet, **changes)

    def send(self, kind, seq, *values, **changes):
        self.socket.send(self.packet(kind, seq, *values, **changes).encode())

    def turn(self, now=NOW, velocity=0.1):
        n = len(self.robot.joints)
        return self.side.exchange(now, still(n, velocity)).tolist()

    def heard(self):
        answers = []
        with contextlib.suppress(BlockingIOError):
            while True:
                answers.append(Packet.decode(self.socket.recv(65536)))
        return answers


@pytest.fixture
def wire(pendulum):
    with UdpRobot(pendulum, "127.0.0.1:0") as side:
        wire = Wire(pendulum, side)
        wire.send(Kind.HELLO, 1)
        wire.turn()
        yield wire
        wire.socket.close()


DAMPED = [-0.2 * 0.1]  # -kd velocity


def test_a_client_reads_measurements_and_the_robot_gets_commands(arm):
    with running(arm) as (side, told), connected(UdpDriver(arm, side.address)) as driver:
        first = driver.read()
        assert first is not None
        np.testing.assert_array_equal(first.signals.position, [0.3] * 3)
        np.testing.assert_array_equal(first.signals.velocity, [0.1] * 3)
        until(lambda: driver.read().seq > first.seq)
        until(lambda: write(driver, [0.25, 1.5]) or told[-1].tolist() == [0.25, 1.5])


def test_a_command_lapses_and_the_robot_damps(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0)
    assert wire.turn() == [1.5]
    assert wire.turn(NOW + 99 * MS) == [1.5]
    assert wire.turn(NOW + 100 * MS) == DAMPED
    assert wire.turn(NOW + 50 * MS) == DAMPED  # what has lapsed stays so


def test_a_command_that_comes_too_late_is_not_acted_on(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0, until=NOW - 1)
    assert wire.turn() == DAMPED


def test_no_command_can_ask_to_be_held_for_more_than_a_second(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0, until=NOW + 3600_000 * MS)
    assert wire.turn() == [1.5]
    assert wire.turn(NOW + 1001 * MS) == DAMPED


def test_damping_acts_at_once_and_later_commands_again(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0)
    wire.send(Kind.DAMP, 3)
    assert wire.turn() == DAMPED
    wire.send(Kind.COMMAND, 4, 1.0, 1.0)
    assert wire.turn() == [1.0]


@pytest.mark.parametrize("seq", [1, 4, 5])
def test_a_reordered_or_duplicate_command_is_dropped(wire, seq):
    wire.send(Kind.COMMAND, 5, 1.5, 1.0)
    wire.send(Kind.COMMAND, seq, -1.0, 1.0)
    assert wire.turn() == [1.5]


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ((math.nan, 1.0), {}),
        ((1.0, math.nan), {}),
        ((math.inf, 1.0), {}),
        ((1.0, 1.0, 1.0), {}),
        ((1.0,), {}),
        ((), {}),
        ((1.0, 1.0), {"session": 8}),
        ((1.0, 1.0), {"robot": b"01234567"}),
    ],
)
def test_a_command_that_is_not_finite_or_not_for_this_robot_is_dropped(wire, values, changes):
    wire.send(Kind.COMMAND, 2, *values, **changes)
    assert wire.turn() == DAMPED


def test_no_damaged_datagram_is_acted_on(wire):
    whole = wire.packet(Kind.COMMAND, 2, 1.5, 1.0).encode()
    for i in range(len(whole)):
        for damaged in (whole[:i], whole[:i] + bytes([whole[i] ^ 0x10]) + whole[i + 1 :]):
            wire.socket.send(damaged)
            assert wire.turn() == DAMPED
    wire.socket.send(whole)
    assert wire.turn() == [1.5]


def test_encoders_that_are_not_finite_are_not_sent_and_the_robot_damps(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0)
    wire.turn()
    wire.heard()
    assert wire.turn(velocity=math.nan) == DAMPED  # with the last finite velocity
    assert wire.heard() == []


def test_a_robot_damps_before_anybody_has_connected(pendulum):
    with UdpRobot(pendulum, "127.0.0.1:0") as side:
        assert side.exchange(NOW, joint(math.nan, math.nan)).tolist() == [0.0]
        assert side.exchange(NOW, joint(0.0, 100.0)).tolist() == [-2.0]


def test_another_client_is_refused_until_the_first_has_been_silent(wire):
    other = Wire(wire.robot, wire.side, session=9)
    other.send(Kind.HELLO, 1)
    other.send(Kind.COMMAND, 2, 1.5, 1.0)
    assert wire.turn(NOW + 100 * MS) == DAMPED
    assert [packet.kind for packet in other.heard()] == [Kind.REFUSED]
    other.send(Kind.HELLO, 3)
    assert wire.turn(NOW + 690 * MS) == DAMPED
    other.send(Kind.COMMAND, 4, 1.5, 1.0, until=NOW + 800 * MS)
    assert wire.turn(NOW + 700 * MS) == [1.5]
    other.socket.close()


def test_a_held_robot_is_a_link_error_that_says_so(pendulum):
    with running(pendulum) as (side, _), connected(UdpDriver(pendulum, side.address)) as first:
        keep = threading.Event()

        def hold():
            while not keep.wait(0.02):
                first.stop()

        thread = threading.Thread(target=hold)
        thread.start()
        with pytest.raises(LinkError, match="held by another client"):
            UdpDriver(pendulum, side.address).open()
        keep.set()
        thread.join()


def test_a_closed_link_frees_the_robot_at_once(pendulum):
    with running(pendulum) as (side, _):
        for _ in range(3):
            with connected(UdpDriver(pendulum, side.address)) as driver:
                write(driver, [0.5])
        until(lambda: side.damping)


def test_another_robot_is_a_link_error_that_says_so(pendulum, arm):
    with running(arm) as (side, _), pytest.raises(LinkError, match="is another one"):
        UdpDriver(pendulum, side.address).open()


def test_the_two_ends_may_turn_at_different_rates(pendulum):
    faster = dataclasses.replace(pendulum, control_hz=500)
    with running(faster) as (side, _), connected(UdpDriver(pendulum, side.address)) as driver:
        assert driver.read() is not None


def test_a_robot_that_is_not_there_is_a_link_error_that_says_what_to_start(pendulum):
    driver = UdpDriver(pendulum, "127.0.0.1:9")
    with pytest.raises(LinkError, match=r"no robot answers at 127\.0\.0\.1:9: start .*pendulum"):
        driver.open()
    driver.stop(), driver.close(), driver.close()  # harmless in any state
    with pytest.raises(LinkError, match="not open"):
        write(driver, [0.0])


def test_an_address_in_use_is_a_link_error(pendulum):
    with UdpRobot(pendulum, "127.0.0.1:0") as side, pytest.raises(LinkError, match="another robot"):
        UdpRobot(pendulum, side.address).open()


@pytest.mark.parametrize("address", ["", "here", "1.2.3.4", ":80", "here:port", "here:70000"])
def test_what_is_no_address_is_refused(pendulum, address):
    with pytest.raises(LinkError, match="write host:port"):
        UdpDriver(pendulum, address)


@pytest.mark.parametrize("command", [[math.nan], [math.inf], [1.0, 2.0]])
def test_the_client_refuses_to_send_what_is_not_a_command(pendulum, command):
    with running(pendulum) as (side, told), connected(UdpDriver(pendulum, side.address)) as driver:
        with pytest.raises(LinkError, match="refused"):
            write(driver, command)
        assert all(abs(command[0]) < 0.1 for command in told)


def test_the_client_drops_measurements_that_are_old_foreign_or_damaged(pendulum):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    driver = UdpDriver(pendulum, f"127.0.0.1:{listener.getsockname()[1]}")

    def answer():
        data, client = listener.recvfrom(65536)
        good = Packet(kind=Kind.MEASUREMENT, robot=robot_id(pendulum), seq=5, time=5,
                      session=Packet.decode(data).session, values=(0.5, 0.0))  # fmt: skip
        for packet in (
            good,
            dataclasses.replace(good, seq=4, values=(4.0, 0.0)),
            dataclasses.replace(good, seq=5, values=(5.0, 0.0)),
            dataclasses.replace(good, seq=6, values=(math.nan, 0.0)),
            dataclasses.replace(good, seq=7, values=(7.0,)),
            dataclasses.replace(good, seq=8, session=good.session ^ 1, values=(8.0, 0.0)),
            dataclasses.replace(good, seq=9, robot=b"01234567", values=(9.0, 0.0)),
        ):
            listener.sendto(packet.encode(), client)
        listener.sendto(b"hello", client)

    thread = threading.Thread(target=answer)
    thread.start()
    with connected(driver):
        thread.join()
        latest = driver.read()
        assert (latest.seq, latest.signals.position.tolist()) == (5, [0.5])
    listener.close()


def test_reset_returns_when_the_robot_has_reset(pendulum):
    with running(pendulum) as (side, _), connected(UdpDriver(pendulum, side.address)) as driver:
        driver.reset()
        driver.reset()
        assert not side.reset_requested


def test_a_repeated_reset_resets_once(wire):
    wire.send(Kind.RESET, 2, episode=0)
    wire.turn()
    assert wire.side.reset_requested
    wire.side.reset_done()
    wire.send(Kind.RESET, 3, episode=0)
    wire.turn()
    assert not wire.side.reset_requested


def test_a_measurement_that_waited_is_told_from_a_fresh_one_without_synchronized_clocks():
    clock = RobotClock()
    far = 10**15  # the robot's clock is elsewhere
    assert clock.local(far, NOW) == NOW
    assert clock.local(far + 10 * MS, NOW + 12 * MS) == pytest.approx(NOW + 10 * MS, abs=0.1 * MS)
    assert clock.local(far + 20 * MS, NOW + 520 * MS) == pytest.approx(NOW + 20 * MS, abs=1 * MS)


def test_clocks_that_drift_apart_are_followed():
    clock, age = RobotClock(), []
    for i in range(100_000):  # 1000 s at 100 Hz, 200 ppm
        now = NOW + 10 * MS * i
        age.append(now - clock.local(round(10 * MS * i * (1 - 2e-4)), now))
    assert max(age) < 1 * MS


def test_the_robots_side_knows_how_long_a_measurement_waits_for_its_answer(wire):
    assert wire.side.latency == 0.0
    wire.send(Kind.HELLO, 1)
    wire.turn()
    wire.send(Kind.COMMAND, 2, 1.5, 1.0, answers=NOW - 2 * MS)
    wire.turn()
    wire.send(Kind.COMMAND, 3, 1.5, 1.0, answers=NOW - 4 * MS)
    wire.turn()
    assert wire.side.latency == pytest.approx(3e-3)


def test_who_watches_gets_measurements_beside_the_one_who_commands_and_sends_nothing(wire):
    wire.send(Kind.COMMAND, 2, 1.5, 1.0)
    watcher = Wire(wire.robot, wire.side, session=9)
    watcher.send(Kind.WATCH, 1)
    assert wire.turn() == [1.5]
    wire.heard()
    assert wire.turn() == [1.5]
    assert [p.kind for p in wire.heard()] == [Kind.MEASUREMENT]
    assert {p.session for p in watcher.heard()} == {9}
    watcher.send(Kind.COMMAND, 2, -1.0, 1.0)
    watcher.send(Kind.DAMP, 3)
    assert wire.turn() == [1.5]
    assert {p.challenge for p in watcher.heard()} == {0}  # with it, it could command
    watcher.socket.close()


def test_who_watches_is_forgotten_when_silent(wire):
    watcher = Wire(wire.robot, wire.side, session=9)
    watcher.send(Kind.WATCH, 1)
    wire.turn()
    watcher.heard()
    wire.turn(NOW + 600 * MS)
    assert watcher.heard() == []
    watcher.socket.close()


def test_a_fifth_watcher_is_refused(wire):
    watchers = [Wire(wire.robot, wire.side, session=10 + i) for i in range(5)]
    for watcher in watchers:
        watcher.send(Kind.WATCH, 1)
        wire.turn()
    assert watchers[4].heard()[0].kind == Kind.REFUSED
    for watcher in watchers:
        watcher.socket.close()


def test_a_driver_that_watches_cannot_command(pendulum):
    with running(pendulum) as (side, _):
        driver = UdpDriver(pendulum, side.address, watch=True)
        with connected(driver):
            until(lambda: driver.read() is not None)
            with pytest.raises(LinkError, match="sends no commands"):
                write(driver, [0.5])
            driver.stop()
        assert side.damping


def test_the_stiffness_of_a_command_reaches_the_robot(arm):
    with UdpRobot(arm, "127.0.0.1:0") as side:
        wire = Wire(arm, side)
        wire.send(Kind.HELLO, 1)
        wire.turn()
        wire.send(Kind.COMMAND, 2, 1.3, 1.5, 0.1)
        np.testing.assert_allclose(wire.turn(), [0.4, 1.5])
        wire.send(Kind.DAMP, 3, float(StopMode.HOLD))
        assert wire.turn()[0] == 0.3
        wire.socket.close()


@pytest.mark.parametrize(
    "health",
    [
        None,
        Health(temperature=np.array([41.0, 55.5])),
        Health(voltage=7.4),
        Health(temperature=np.array([41.0, 55.5]), voltage=7.4),
    ],
)
def test_what_a_robot_says_of_its_health_reaches_the_envelope(arm, health):
    with running(arm, health=health) as (side, _):
        driver = UdpDriver(arm, side.address, watch=True)
        with connected(driver):
            got = driver.read()
    assert got is not None
    np.testing.assert_array_equal(got.signals.position, still(3).position)
    assert got.acting is False
    if health is None:
        assert got.health is None
        return
    assert got.health is not None
    assert got.health.voltage == health.voltage
    np.testing.assert_array_equal(got.health.temperature, health.temperature)


def test_a_temperature_that_is_not_finite_is_silence(arm):
    with UdpRobot(arm, "127.0.0.1:0") as side:
        wire = Wire(arm, side)
        wire.send(Kind.HELLO, 1)
        side.exchange(NOW, still(3), Health(temperature=np.array([np.nan, 40.0])))
        with pytest.raises(BlockingIOError):
            wire.socket.recv(4096)
        side.exchange(NOW, still(3), Health(temperature=np.array([30.0, 40.0])))
        assert wire.socket.recv(4096)
        wire.socket.close()
