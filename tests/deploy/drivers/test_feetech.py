"""The SO-101's bus, against servos behind a pseudo-terminal."""

import contextlib
import dataclasses
import itertools
import threading
import time

import numpy as np
import pytest

from sim2real.deploy.driver import Command, StopMode, connected
from sim2real.deploy.drivers.feetech import Bus, FeetechDriver, Servo
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.robot_side.hold import serve
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError, LinkError
from sim2real.shipped import find_robot

pytest.importorskip("serial")
ROBOT = find_robot("so101")
BUS = Bus.load(ROBOT.folder / "feetech.toml")
IDS = [servo.id for servo in BUS.servos.values()]
TICK = 2 * np.pi / 4096


def command(target, seq=1, stiffness=1.0):
    return Command(seq=seq, valid_until=1 << 62, target=np.array(target), stiffness=stiffness)


def newer(driver, count=2):
    """The measurement `count` later: what was asked for now, and obeyed; servos are a thread."""
    first = driver.read().seq
    for _ in range(5000):
        measured = driver.read()
        if measured.seq >= first + count:
            return measured
        time.sleep(0.0005)
    raise AssertionError("no measurement came")


@pytest.fixture
def rig(Servos):
    with Servos(IDS) as servos, connected(FeetechDriver(ROBOT, servos.path, BUS)) as driver:
        yield servos, driver


def test_servos_hold_where_they_are_once_the_bus_is_open(rig):
    servos, driver = rig
    newer(driver)
    for servo in IDS:
        assert servos.number(servo, 42) == 2048
        assert servos.memory[servo][40] == 1


def test_a_target_comes_back_as_a_measured_position(rig):
    _, driver = rig
    target = [0.1, -0.2, 0.3, -0.4, 0.5, 0.6]
    driver.write(command(target))
    measured = newer(driver)
    np.testing.assert_allclose(measured.signals.position, target, atol=TICK / 2)
    assert measured.health.voltage == pytest.approx(7.4)
    assert measured.health.temperature.tolist() == [31.0] * 6


def test_a_servo_that_turns_against_its_joint_moves_the_other_way(Servos):
    bus = dataclasses.replace(
        BUS, servos=BUS.servos | {"gripper": Servo(id=6, zero=1000, direction=-1)}
    )
    with Servos(IDS) as servos, connected(FeetechDriver(ROBOT, servos.path, bus)) as driver:
        servos.memory[6][58:60] = (100 | 1 << 15).to_bytes(2, "little")  # -100 ticks/s
        driver.write(command([0, 0, 0, 0, 0, 0.5]))
        measured = newer(driver)
        assert servos.number(6, 42) == 1000 - round(0.5 / TICK)
        assert measured.signals.position[5] == pytest.approx(0.5, abs=TICK / 2)
        assert measured.signals.velocity[5] == pytest.approx(100 * TICK)


def test_half_the_stiffness_is_half_the_way(rig):
    servos, driver = rig
    newer(driver)
    driver.write(command([0.4] * 6, stiffness=0.5))
    newer(driver)
    assert servos.number(1, 42) == 2048 + round(0.2 / TICK)


def test_stop_holds_the_measured_pose_and_off_lets_go(rig):
    servos, driver = rig
    driver.write(command([0.5] * 6))
    newer(driver)
    driver.write(command([0.0] * 6))
    driver.stop()
    newer(driver)
    assert servos.number(1, 42) == 2048 + round(0.5 / TICK)
    driver.stop(StopMode.OFF)
    newer(driver)
    assert not any(servos.memory[servo][40] for servo in IDS)


@pytest.mark.parametrize("mode", StopMode)
def test_stop_is_safe_in_any_state(mode, Servos):
    with Servos(IDS) as servos:
        driver = FeetechDriver(ROBOT, servos.path, BUS)
        driver.stop(mode)  # before open
        driver.open()
        driver.stop(mode)
        driver.stop(mode)
        driver.close()
        driver.stop(mode)
        driver.close()


def test_the_port_is_held_by_one_program(rig):
    servos, _ = rig
    with pytest.raises(LinkError, match="no other program"):
        FeetechDriver(ROBOT, servos.path, BUS).open()


def test_a_missing_servo_is_named(Servos):
    with (
        Servos(IDS[:-1]) as servos,
        pytest.raises(LinkError, match=r"6 \(gripper\) does not"),
    ):
        FeetechDriver(ROBOT, servos.path, BUS).open()


def test_a_servo_with_other_gains_is_refused(Servos):
    with Servos(IDS) as servos:
        servos.memory[3][21] = 32
        with pytest.raises(LinkError, match=r"servo 3 \(elbow_flex\) has P = 32, not 16"):
            FeetechDriver(ROBOT, servos.path, BUS).open()


def test_a_fault_of_a_servo_is_told_by_its_joint(rig):
    servos, driver = rig
    servos.fault[2] = 32
    with pytest.raises(LinkError, match=r"servo 2 \(shoulder_lift\) reports overload"):
        newer(driver)


def test_a_port_that_is_not_there_is_told():
    with pytest.raises(LinkError, match="cannot be opened"):
        FeetechDriver(ROBOT, "/dev/no-such-port", BUS).open()


@pytest.mark.parametrize("target", [[np.nan] * 6, [0.0] * 5])
def test_a_command_that_no_servo_could_follow_is_refused(rig, target):
    servos, driver = rig
    before = len(servos.heard)
    with pytest.raises(LinkError, match="refused"):
        driver.write(command(target))
    assert [kind for _, kind, _ in servos.heard[before:] if kind == 0x83] == []


def every(count, change):
    """Change each n-th packet."""
    turn = itertools.count(1)
    return lambda packet: packet if next(turn) % count else change(packet)


def flip(packet, at, bit):
    return packet[:at] + bytes((packet[at] ^ 1 << bit,)) + packet[at + 1 :]


FAULTS = {
    "a lost packet": lambda packet: b"",
    "a lost byte": lambda packet: packet[:5] + packet[6:],
    "a cut packet": lambda packet: packet[:-2],
    "a bit of the header": lambda packet: flip(packet, 0, 3),
    "a bit of the id": lambda packet: flip(packet, 2, 1),
    "a bit of the length": lambda packet: flip(packet, 3, 7),
    "a bit of the data": lambda packet: flip(packet, 5, 6),
    "a bit of the checksum": lambda packet: flip(packet, -1, 0) if packet else packet,
    "noise before": lambda packet: b"\xff\x00\xff\xff\xff" + packet,
    "another servo's": lambda packet: b"\xff\xff\x09\x02\x00\xf4" + packet,
    "twice": lambda packet: packet + packet,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_on_the_wires_a_wrong_number_is_never_measured(fault, Servos):
    change = FAULTS[fault]
    if fault == "a bit of the checksum":
        change = lambda packet: flip(packet, len(packet) - 1, 0)  # noqa: E731
    with Servos(IDS) as servos, connected(FeetechDriver(ROBOT, servos.path, BUS)) as driver:
        servos.answer = every(10, change)
        for turn in range(10):
            target = np.full(6, 0.1 * (turn % 5))
            driver.write(command(target, seq=turn))
            np.testing.assert_allclose(newer(driver).signals.position, target, atol=TICK / 2)


def test_servos_that_share_an_id_are_refused():
    twice = dataclasses.replace(BUS, servos=BUS.servos | {"gripper": Servo(id=1)})
    with pytest.raises(ConfigError, match="one of its own"):
        FeetechDriver(ROBOT, "", twice)


def test_a_robot_with_motors_is_refused(pendulum):
    with pytest.raises(ConfigError, match="give each joint a servo"):
        FeetechDriver(pendulum, "", BUS)


def test_servos_that_would_hold_for_ever_are_let_follow_when_the_controller_is_gone(Servos):
    with Servos(IDS) as servos, UdpRobot(ROBOT, "127.0.0.1:0") as side:
        driver, ended = FeetechDriver(ROBOT, servos.path, BUS), threading.Event()

        def leave():
            if ended.is_set():
                raise KeyboardInterrupt

        def robot_side():
            with connected(driver), contextlib.suppress(KeyboardInterrupt):
                serve(driver, side, hz=200, on_turn=leave)

        thread = threading.Thread(target=robot_side)
        thread.start()
        try:
            until(lambda: servos.memory[1][40])
            client = UdpDriver(ROBOT, side.address)
            client.open()
            until(lambda: lease(client, 0.3) and servos.number(1, 42) == 2048 + round(0.3 / TICK))
            client._socket.close()  # killed: it says nothing any more
            until(lambda: side.damping)
            servos.memory[1][40] = 0  # somebody moves the joint by hand
            servos.memory[1][56:58] = (1000).to_bytes(2, "little")
            until(lambda: servos.number(1, 42) == 1000)
        finally:
            ended.set()
            thread.join()


def lease(client, target):
    stamp = client.read().stamp
    client.write(Command(seq=1, valid_until=stamp + 200_000_000, target=np.full(6, target)))
    return True


def until(condition):
    for _ in range(10000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("it did not come to that")
