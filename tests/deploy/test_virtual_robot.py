import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.excitation import Excitation
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import read_recording
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import LinkError, RobotError
from sim2real.robot import EnvelopeOptions

pytest.importorskip("mujoco")

SERVER = """
    import dataclasses
    from sim2real.deploy.robot_side.udp_robot import UdpRobot
    from sim2real.shipped import find_robot
    from sim2real.sim.mujoco_batch import MujocoSimulator
    from sim2real.sim.virtual_robot import serve

    robot = dataclasses.replace(find_robot("pendulum"), control_hz=250)
    simulator = MujocoSimulator(robot, 1)
    simulator.effects.sensors["velocity"].parameters.expand("noise")[...] = 0.02
    with UdpRobot(robot, "127.0.0.1:0") as side:
        print(side.address, flush=True)
        serve(simulator, side, seed=3)
"""
CLIENT = """
    import sys, time
    import numpy as np
    from sim2real.deploy.driver import Command
    from sim2real.deploy.drivers.udp import UdpDriver
    from sim2real.shipped import find_robot

    driver = UdpDriver(find_robot("pendulum"), sys.argv[1])
    driver.open()
    while True:
        stamp = driver.read().stamp
        command = Command(seq=stamp, valid_until=stamp + 300_000_000, target=np.array([1.9]))
        driver.write(command)
        print("writing", flush=True)
        time.sleep(0.01)
"""


@pytest.fixture
def patient(pendulum):
    """The pendulum's envelope, on a machine that is busy with other tests."""
    robot = dataclasses.replace(pendulum, envelope=EnvelopeOptions(overruns=100))
    return Envelope.of(robot, max_age=1.0)


@contextlib.contextmanager
def process(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.terminate()


def test_an_excitation_is_played_on_a_robot_in_another_process_and_recorded(
    tmp_path, pendulum, patient
):
    path = tmp_path / "run.mcap"
    source = Excitation(pendulum, seconds=3.0, band=(0.5, 1.5))
    with process(SERVER) as (server, address):
        driver = UdpDriver(pendulum, address)
        with connected(driver), Recorder(path, pendulum) as recorder:
            driver.reset()
            summary = run(source, driver, seconds=3.0, recorder=recorder, envelope=patient)
        server.terminate()
        assert server.wait(10) == 0  # SIGTERM stops it cleanly
    trajectory, _ = read_recording(path)
    assert summary.ended == "done", summary
    assert len(trajectory.time) > 0.5 * 300
    assert np.abs(trajectory.position).max() > 0.3
    # stamps are the simulation's: the recorded velocity is that of the recorded positions
    seconds, position = trajectory.seconds, trajectory.position[:, 0]
    slope = np.diff(position) / np.diff(seconds)
    middle = 0.5 * (trajectory.velocity[1:, 0] + trajectory.velocity[:-1, 0])
    assert np.median(np.abs(slope - middle)) < 0.1


def test_a_robot_whose_client_is_killed_damps(pendulum):
    with process(SERVER) as (_, address), process(CLIENT, address) as (client, _):
        for _ in range(30):
            assert client.stdout.readline() == "writing\n"
        os.kill(client.pid, signal.SIGKILL)
        client.wait()
        driver = UdpDriver(pendulum, address)
        end = time.monotonic() + 10.0
        while True:  # the robot is free again half a second after the client's last word
            try:
                driver.open()
                break
            except LinkError:
                assert time.monotonic() < end
        with connected(driver):
            while True:  # damped it comes to rest hanging: 1.9 Nm would hold it at 0.7 rad
                now = driver.read()
                if abs(now.signals.position[0]) < 0.2 and abs(now.signals.velocity[0]) < 0.1:
                    break
                assert time.monotonic() < end
                time.sleep(0.01)


def test_a_robot_can_be_driven_again_after_a_pause_over_the_same_driver(pendulum, patient):
    source = Excitation(pendulum, seconds=1.0, band=(0.5, 1.5))
    with process(SERVER) as (_, address), connected(UdpDriver(pendulum, address)) as driver:
        for _ in range(2):
            assert run(source, driver, seconds=0.3, envelope=patient).ended == "done"
            time.sleep(0.7)  # longer than a silent client holds the robot


def drive(simulator, side, seconds, **changes):
    from sim2real.sim.virtual_robot import serve

    serve(simulator, side, seconds=seconds, realtime=False, **changes)
    return simulator.position.copy(), simulator.velocity.copy()


def test_a_virtual_robot_alone_damps_at_its_home(pendulum):
    from sim2real.sim.mujoco_batch import MujocoSimulator

    started = []

    class Side:
        reset_requested, robot = False, pendulum

        def exchange(self, now, measured):
            started.append((now, measured.position[0], measured.velocity[0]))
            return np.zeros(1)

    drive(MujocoSimulator(pendulum, 1), Side(), 0.5)
    stamps = np.array([now for now, *_ in started])
    assert len(stamps) == 50
    assert started[0][1:] == (0.0, 0.0)
    assert set(np.diff(stamps)) == {10_000_000}


def test_the_sensors_of_a_virtual_robot_are_noisy_as_they_say_and_by_seed(pendulum):
    from sim2real.sim.mujoco_batch import MujocoSimulator

    def measured(seed):
        rows = []

        class Side:
            reset_requested, robot = False, pendulum

            def exchange(self, now, measured):
                rows.append([measured.position[0], measured.velocity[0]])
                return np.zeros(1)

        simulator = MujocoSimulator(pendulum, 1)
        sensors = simulator.effects.sensors
        sensors["position"].parameters.expand("noise")[...] = 0.01
        sensors["velocity"].parameters.expand("bias")[...] = 0.5
        drive(simulator, Side(), 10.0, seed=seed)
        return np.array(rows)

    first = measured(1)
    assert first[:, 0].std() == pytest.approx(0.01, rel=0.1)
    np.testing.assert_allclose(first[:, 1], 0.5)
    np.testing.assert_array_equal(first, measured(1))
    assert np.abs(first - measured(2)).max() > 0.01


class Listener:
    """A robot's side that notes what is measured and sends a constant command."""

    reset_requested = False

    def __init__(self, robot, command=0.0):
        self.robot, self.command, self.rows = robot, np.full(1, command), []

    def exchange(self, now, measured):
        self.rows.append(measured.position[0])
        return self.command


def fine(pendulum, **flaws):
    """Return a falling pendulum in Bullet whose own loop is ten times the controller's."""
    from sim2real.sim.bullet.simulator import BulletSimulator

    simulator = BulletSimulator(dataclasses.replace(pendulum, control_hz=1000.0), 1)
    for name, value in flaws.items():
        simulator.effects.sensors["position"].parameters.expand(name)[...] = value
    return simulator


def fall(pendulum, **flaws):
    side = Listener(pendulum, 1.5)
    with fine(pendulum, **flaws) as simulator:
        drive(simulator, side, 0.4)
    return np.array(side.rows)


def test_the_position_of_a_virtual_robot_comes_late_by_its_delay(pendulum):
    truth, late = fall(pendulum), fall(pendulum, delay=0.0355)
    expected = 0.5 * (truth[:-36] + truth[1:][:-35])
    np.testing.assert_allclose(late[36:], expected, atol=1e-9)
    np.testing.assert_array_equal(late[:35], truth[0])


def test_a_sample_that_a_virtual_robot_loses_is_lost_for_a_controllers_step(pendulum):
    truth, held = fall(pendulum), fall(pendulum, dropout=0.5)
    fresh = (truth == held)[20:].reshape(-1, 10)
    assert (fresh.all(axis=1) | ~fresh.any(axis=1)).all()
    assert 0.2 < fresh.mean() < 0.8


def test_a_virtual_robot_has_the_effects_that_its_ranges_declare(pendulum):
    from sim2real.randomization.engine import Randomizer

    declared = {"actuator.pivot.dropout": {"set": [1.0, 1.0]},
                "joint.pivot.stiction": {"set": [0.5, 0.5]},
                "joint.pivot.position_resolution": {"set": [0.01, 0.01]}}  # fmt: skip
    side = Listener(pendulum, 1.5)
    with fine(dataclasses.replace(pendulum, randomize=declared)) as simulator:
        randomizer = Randomizer(simulator, simulator.robot.ranges, seed=1)
        alone = np.zeros(1, np.int32)
        randomizer.apply(alone, randomizer.draw(alone, alone.astype(np.int64))[0])
        drive(simulator, side, 0.2)
    np.testing.assert_array_equal(side.rows, 0.0)  # no command ever arrives


def test_more_than_one_simulation_is_no_robot(pendulum):
    from sim2real.sim.mujoco_batch import MujocoSimulator

    with UdpRobot(pendulum, "127.0.0.1:0") as side, pytest.raises(RobotError, match="2 are given"):
        drive(MujocoSimulator(dataclasses.replace(pendulum), 2), side, 0.1)


class FakeTime:
    """Time that passes only in sleep, and a little with each look."""

    def __init__(self):
        self.now = 10**12

    def monotonic_ns(self):
        self.now += 50_000
        return self.now

    def monotonic(self):
        return self.monotonic_ns() * 1e-9

    def sleep(self, seconds):
        self.now += round(seconds * 1e9)


class FakeSide:
    """A robot's side that is in use, idle for long, and in use again."""

    reset_requested = False

    def __init__(self, robot, clock):
        self.robot, self.clock, self.ahead, self.turns = robot, clock, [], 0

    @property
    def in_use(self):
        return not 300 <= self.turns < 3000

    def exchange(self, now, measured):
        self.turns += 1
        self.ahead.append(now - self.clock.now)
        return np.zeros(1)


def test_a_long_pause_between_clients_does_not_run_the_clock_ahead(pendulum, monkeypatch):
    from sim2real.sim import virtual_robot
    from sim2real.sim.mujoco_batch import MujocoSimulator

    clock = FakeTime()
    monkeypatch.setattr(virtual_robot, "time", clock)
    simulator = MujocoSimulator(dataclasses.replace(pendulum, control_hz=1000), 1)
    side = FakeSide(pendulum, clock)
    virtual_robot.serve(simulator, side, seconds=3.3)
    assert side.turns == 3300
    assert np.abs(side.ahead).max() < 2_000_000
