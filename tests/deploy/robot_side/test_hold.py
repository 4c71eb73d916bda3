"""A robot whose own side would hold for ever damps behind `serve`."""

import numpy as np
import pytest

from sim2real.deploy.driver import Command, Measurement, StopMode
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.robot_side.hold import serve
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError, LinkError
from sim2real.signals import Measured


class Holding:
    """Servos that hold their last target for ever, and follow it at once."""

    def __init__(self, robot, clock):
        self.robot, self.clock = robot, clock
        self.position = np.full(len(robot.joints), 0.2)
        self.targets: list[np.ndarray] = []
        self.stops: list[StopMode] = []
        self.frozen = False
        self.latest: Measurement | None = None

    def open(self):
        pass

    def close(self):
        pass

    def read(self):
        if not self.frozen:
            now = self.clock.now()
            signals = Measured(position=self.position.copy(), velocity=self.position * 0.0)
            self.latest = Measurement(seq=now, stamp=0, received=now, signals=signals)
        return self.latest

    def write(self, command):
        self.targets.append(command.target)

    def stop(self, mode=StopMode.DAMP):
        self.stops.append(mode)


@pytest.fixture
def rig(arm, fakes):
    clock = fakes[0]()
    driver = Holding(arm, clock)
    with UdpRobot(arm, "127.0.0.1:0") as side:
        client = UdpDriver(arm, side.address)
        yield clock, driver, side, client
        client.close()


def turn(rig, count=1):
    clock, driver, side, _ = rig
    serve(driver, side, hz=100, seconds=count / 100 - 0.005, clock=clock)


def opened(rig):
    """Open the client between two turns of the robot's loop."""
    client = rig[3]
    client._repeat = lambda kind, done: [client._send(kind), turn(rig, 2), client.read()] and done()
    client.open()
    return client


def test_a_command_reaches_the_robot_until_it_lapses(rig):
    _, driver, _, _ = rig
    client = opened(rig)
    stamp = client.read().stamp
    client.write(Command(seq=1, valid_until=stamp + 50_000_000, target=np.array([0.7, 1.0])))
    driver.targets.clear()
    turn(rig, 12)
    moved = [target.tolist() for target in driver.targets]
    assert moved[0] == [0.7, 1.0]
    assert moved[-1] == [0.2, 0.0]  # where the servo is; a motor brakes
    assert moved.index([0.2, 0.0]) <= 6  # 50 ms and a turn


def test_a_servo_that_is_pushed_while_it_damps_is_followed(rig):
    _, driver, _, _ = rig
    turn(rig, 2)
    driver.position[0] = 0.4
    turn(rig, 2)
    assert driver.targets[-1][0] == 0.4


def test_a_measurement_that_stays_the_same_is_told_once(rig):
    clock, driver, _, _ = rig
    client = opened(rig)
    driver.frozen = True
    seen = {client.read().seq}
    for _ in range(5):
        turn(rig, 3)
        seen.add(client.read().seq)
    assert len(seen) <= 2
    assert clock.now() - client.read().stamp > 100_000_000  # and so its age can be seen


def test_however_it_ends_the_robot_is_stopped(rig):
    _, driver, _, _ = rig
    turn(rig, 3)
    assert driver.stops == [StopMode.DAMP]

    def gone():
        raise LinkError("the port is gone")

    driver.read = gone
    with pytest.raises(LinkError):
        turn(rig, 3)
    assert driver.stops == [StopMode.DAMP] * 2


def test_nobody_is_told_that_the_robot_was_put_back_to_its_start(rig):
    client = opened(rig)
    client._repeat = lambda kind, done: [client._send(kind), turn(rig, 3), client.read()] and done()
    with pytest.raises(LinkError, match="does not reset itself"):
        client.reset()


def test_a_loop_slower_than_the_controller_is_refused(rig):
    clock, driver, side, _ = rig
    with pytest.raises(ConfigError, match="less than the controller's 50"):
        serve(driver, side, hz=20, clock=clock)
