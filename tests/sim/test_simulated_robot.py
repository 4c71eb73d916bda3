import dataclasses

import numpy as np
import pytest

from sim2real.deploy.driver import Command, RobotDriver, connected
from sim2real.deploy.excitation import Excitation
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.replay import replay
from sim2real.errors import RobotError
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulated_robot import SimulatedRobot


@pytest.fixture(scope="module")
def pendulum():
    return find_robot("pendulum")


def simulated(robot, hz=500, **options):
    simulator = MujocoSimulator(dataclasses.replace(robot, control_hz=hz), 1)
    return SimulatedRobot(robot, simulator, **options)


def test_a_simulation_is_a_driver_and_runs_as_fast_as_it_can(pendulum):
    robot: RobotDriver = simulated(pendulum)
    with connected(robot):
        summary = run(Excitation(pendulum, seconds=3.0, band=(0.5, 1.5)), robot, seconds=3.0,
                      clock=robot)  # fmt: skip
    assert (summary.ended, summary.reason) == ("done", "")
    assert summary.ticks == 300
    assert summary.late_ticks == 0
    assert np.abs(robot.simulator.position).max() > 0.1


def test_a_controller_that_stops_leaves_a_robot_that_damps_within_its_lease(pendulum):
    robot = simulated(pendulum)
    robot.open()
    target = np.array([1.9])
    robot.write(Command(seq=1, valid_until=robot.now() + 100_000_000, target=target))
    robot.sleep_until(robot.now() + 98_000_000)
    assert robot.applied == 1.9
    robot.turn(), robot.turn()
    assert robot.lease.damping
    assert robot.applied[0] <= 0.0  # it brakes


def test_a_run_is_the_same_again_bit_for_bit(pendulum, tmp_path):
    source = Excitation(pendulum, seconds=1.0, band=(0.5, 1.5))
    ends = []
    for name in ("one", "two"):
        robot = simulated(pendulum, seed=3)
        with Recorder(tmp_path / f"{name}.mcap", pendulum) as recorder:
            run(source, robot, seconds=1.0, clock=robot, recorder=recorder)
        ends.append(robot.simulator.position.copy())
        assert replay(tmp_path / f"{name}.mcap", source, pendulum).difference is None
    np.testing.assert_array_equal(*ends)


def test_two_simulations_are_no_robot(pendulum):
    with pytest.raises(RobotError, match="2 are given"):
        SimulatedRobot(pendulum, MujocoSimulator(pendulum, 2))
