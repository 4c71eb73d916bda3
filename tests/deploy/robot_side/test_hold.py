import dataclasses
import socket

import numpy as np
import pytest

from sim2real.deploy.driver import Health, StopMode
from sim2real.deploy.robot_side.hold import serve
from sim2real.deploy.robot_side.packets import Kind, Packet, Told, parse_address, robot_id
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError, LinkError

MS = 1_000_000


class Client:
    """Sends a command that holds for 100 ms, once, as soon as a measurement has come."""

    def __init__(self, robot, side, driver):
        self.robot, self.side, self.driver, self.sent = robot, side, driver, None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(parse_address(side.address))
        self.say(Kind.HELLO, 1)

    def say(self, kind, seq, *values, until=0):
        packet = Packet(kind=kind, robot=robot_id(self.robot), session=7, seq=seq, time=until,
                        challenge=self.side._challenge, values=values)  # fmt: skip
        self.socket.send(packet.encode())

    def look(self, measured):
        if self.sent is None and measured.seq == 10:
            self.sent = measured.stamp
            self.say(Kind.COMMAND, 2, 0.3, 1.0, 1.0, until=measured.stamp + 100 * MS)
        return measured


@pytest.fixture
def served(arm, fakes):
    """An arm behind a driver of its own, and a client of the process that holds it."""
    clock = fakes[0]()
    driver = fakes[1](arm, clock)
    with UdpRobot(arm, "127.0.0.1:0") as side:
        client = Client(arm, side, driver)
        driver.reading = client.look
        yield driver, side, clock
        client.socket.close()


def test_a_command_is_handed_on_until_its_lease_ends_and_then_the_robot_is_stopped(served):
    driver, side, clock = served
    serve(driver, side, hz=200, seconds=1.0, clock=clock)
    kinds = ["stop" if isinstance(entry, str) else "command" for entry in driver.log]
    first, count = kinds.index("command"), kinds.count("command")
    assert kinds[first : first + count] == ["command"] * count  # in one piece
    assert count == 20  # 100 ms at 200 Hz
    assert set(kinds[first + count :]) == {"stop"}
    np.testing.assert_array_equal(driver.commands, [[0.3, 1.0]] * 20)


def test_a_driver_that_says_nothing_new_is_stopped(served):
    driver, side, clock = served
    look, last = driver.reading, []

    def stuck(measured):
        last[:] = [look(measured)] if measured.seq <= 15 else last
        return last[0]

    driver.reading = stuck
    serve(driver, side, hz=200, seconds=1.0, clock=clock)
    assert driver.log[-100:] == ["damp"] * 100


def test_a_driver_that_breaks_is_stopped_and_told(served):
    driver, side, clock = served

    def broken(measured):
        if measured.seq == 20:
            raise LinkError("the cable is out")
        return measured

    driver.reading = broken
    with pytest.raises(LinkError, match="cable"):
        serve(driver, side, hz=200, seconds=1.0, clock=clock)
    assert driver.log[-1] == "damp"


def test_the_mode_of_a_stop_reaches_the_robot(served, monkeypatch):
    driver, side, clock = served
    modes = []
    monkeypatch.setattr(driver, "stop", lambda mode=StopMode.DAMP: modes.append(mode))

    def look(measured):
        if measured.seq == 20:
            client.say(Kind.DAMP, 3, float(StopMode.OFF))
        return measured

    client, driver.reading = driver.reading.__self__, look
    serve(driver, side, hz=200, seconds=0.5, clock=clock)
    assert modes[:10] == [StopMode.DAMP] * 10
    assert modes[30:-1] == [StopMode.OFF] * len(modes[30:-1])
    assert modes[-1] == StopMode.DAMP  # when it ends


def test_nobody_is_told_that_a_real_robot_was_put_back_to_its_start(served):
    driver, side, clock = served

    def look(measured):
        if measured.seq % 10 == 5:
            client.say(Kind.RESET, measured.seq)
        return measured

    client, driver.reading = driver.reading.__self__, look
    serve(driver, side, hz=200, seconds=0.5, clock=clock)
    assert side._episode == 0
    assert not side.reset_requested


def test_each_turn_is_told_to_whoever_watches_over_the_process(served):
    driver, side, clock = served
    turns = []
    serve(driver, side, hz=200, seconds=0.5, clock=clock, on_turn=lambda: turns.append(1))
    assert len(turns) == 100


def test_what_the_driver_says_of_its_health_goes_on_to_the_client(served):
    driver, side, clock = served
    health, client = Health(voltage=7.4), driver.reading.__self__
    driver.reading = lambda measured: dataclasses.replace(measured, health=health)
    serve(driver, side, hz=200, seconds=0.1, clock=clock)
    packet = Packet.decode(client.socket.recv(4096))
    assert packet is not None
    assert Told(packet.answers) == Told.VOLTAGE
    assert packet.values[-1] == 7.4


def test_a_loop_slower_than_the_controller_is_refused(served):
    driver, side, clock = served
    with pytest.raises(ConfigError, match="less than the controller's 50"):
        serve(driver, side, hz=20, clock=clock)


def test_a_share_of_the_stiffness_is_handed_on_as_it_was_given(served):
    driver, side, clock = served

    def look(measured):
        if measured.seq == 10:
            client.say(Kind.COMMAND, 2, 0.3, 1.0, 0.25, until=measured.stamp + 100 * MS)
        return measured

    client, driver.reading = driver.reading.__self__, look
    serve(driver, side, hz=200, seconds=0.5, clock=clock)
    assert driver.stiffness == [0.25] * 20
    np.testing.assert_array_equal(driver.commands, [[0.3, 1.0]] * 20)  # not softened, too
