import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import StopMode
from sim2real.deploy.preflight.bench import Bench, Outcome
from sim2real.deploy.preflight.data import check_data
from sim2real.deploy.preflight.run import preflight
from sim2real.robot import EnvelopeOptions

pytest.importorskip("mujoco")


class Other:
    """A driver of the user's own: another driver's methods, but for some that are wrong."""

    def __init__(self, driver, **methods):
        self.driver, self.robot = driver, driver.robot
        self.stopped = 0
        for name in ("open", "read", "write", "stop", "close"):
            if methods.get(name, ...) is not None:
                setattr(self, name, methods.get(name) or getattr(driver, name))


@pytest.fixture
def robot(pendulum):
    """A pendulum that hangs in a simulation, turned by a clock of its own."""
    from sim2real.sim.mujoco_batch import MujocoSimulator
    from sim2real.sim.simulated_robot import SimulatedRobot

    pendulum = dataclasses.replace(pendulum, envelope=EnvelopeOptions(lag=0.01))
    made = SimulatedRobot(
        pendulum, MujocoSimulator(dataclasses.replace(pendulum, control_hz=500), 1)
    )
    made.open()
    return made


@pytest.fixture
def controller(export, spec, pendulum):
    return Controller.load(export(spec), pendulum)


def findings(controller, driver, robot):
    return list(preflight(controller, driver, clock=robot))


def test_a_sound_driver_passes_what_can_be_seen_of_it(controller, robot):
    found = findings(controller, robot, robot)
    assert {f.outcome for f in found} == {Outcome.PASS, Outcome.UNSEEN}, found
    unseen = [f.check for f in found if f.outcome == Outcome.UNSEEN]
    assert unseen == ["sensors are frozen", "joints are exchanged",
                      "the controller's process is killed"]  # fmt: skip
    assert robot.lease.damping


def failed(controller, robot, **methods):
    found = findings(controller, Other(robot, **methods), robot)
    assert found[-1].outcome == Outcome.FAIL, found
    assert all(f.outcome != Outcome.FAIL for f in found[:-1])
    return found[-1]


def test_a_stop_that_raises_fails(controller, robot):
    def stop(mode=StopMode.DAMP):
        joint = ["knee", object()]
        joint.set_mode("damping")  # what a low-level library of a humanoid does in its stop

    with pytest.raises(AttributeError):  # the last stop of the preflight itself, told as it is
        failed(controller, robot, stop=stop)


def test_a_stop_that_does_nothing_fails(controller, robot):
    found = failed(controller, robot, stop=lambda mode=StopMode.DAMP: None)
    assert found.check == "stop"
    assert found.detail.startswith("damped after 9")  # by the end of its lease


def test_a_stop_that_works_once_only_fails(controller, robot):
    left = [3]

    def stop(mode=StopMode.DAMP):
        left[0] -= 1
        if left[0] >= 0:
            robot.stop(mode)

    assert failed(controller, robot, stop=stop).check == "stop, twice"


def test_a_receiver_without_leases_fails(controller, robot):
    def write(command):
        robot.write(dataclasses.replace(command, valid_until=2**62))

    assert "lapses" in failed(controller, robot, write=write).check


def test_a_joint_of_the_wrong_sign_fails(controller, robot):
    def write(command):
        robot.write(dataclasses.replace(command, target=-command.target))

    assert failed(controller, robot, write=write).check == "the joint 'pivot' moves alone"


def test_a_robot_that_says_nothing_fails(controller, robot):
    assert "comes" in failed(controller, robot, read=lambda: None).detail


def test_a_position_sensor_without_its_velocity_fails(controller, robot):
    def read():
        measured = robot.read()
        spun = dataclasses.replace(measured.signals, velocity=np.array([5.0]))
        return dataclasses.replace(measured, signals=spun)

    assert failed(controller, robot, read=read).check == "measurements can be believed"


def test_ctrl_c_ends_it_and_is_no_failure_of_the_robot(robot, fakes):
    source = fakes[2](lambda i: [0.1] if i < 5 else os.kill(os.getpid(), signal.SIGINT) or [0.1])
    with pytest.raises(KeyboardInterrupt):
        list(check_data(Bench(robot, robot), source, np.zeros(0)))


_COMMANDS = """
import os, sys, time
import numpy as np
from sim2real.deploy.driver import Measurement
from sim2real.deploy.preflight import kill
from sim2real.shipped import find_robot
from sim2real.signals import Measured

class Robot:
    robot, seq = find_robot("pendulum"), 0
    def open(self): pass
    def stop(self, mode=0): pass
    def close(self): pass
    def read(self):
        self.seq += 1
        still = Measured(position=np.zeros(1), velocity=np.zeros(1))
        return Measurement(seq=self.seq, stamp=self.seq, received=0, signals=still)
    def write(self, command):
        os.write(1, b".")

parent = os.getpid()
kill._fork(lambda: kill._hold(Robot(), parent))
time.sleep(60.0)
"""


def test_the_process_that_is_to_be_killed_outlives_no_preflight():
    process = subprocess.Popen([sys.executable, "-c", _COMMANDS], stdout=subprocess.PIPE)
    assert process.stdout.read(1) == b"."  # it commands
    process.kill()
    process.communicate(timeout=20.0)  # until the last who could command has gone
