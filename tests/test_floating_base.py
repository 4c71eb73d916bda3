"""The signals of a floating base from a simulated IMU to a policy, a recording and a score.

The control loop, the driver and the robot share a clock of the test's own, in one thread: datagrams
go through real sockets, but nothing waits, and nothing depends on how fast the machine is.
"""

import dataclasses

import numpy as np
import pytest
import torch

from sim2real.control import resting_command
from sim2real.deploy.clock import Clock
from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers import udp
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import read_recording
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.envs.rsl_rl import RslRlEnv
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ControllerError, LogError
from sim2real.evaluation.recording import score
from sim2real.export.onnx_file import export
from sim2real.rotation import rotate_back
from sim2real.shipped import find_robot
from sim2real.sim import virtual_robot
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy

HZ = 200


class RobotsTime(Clock):
    """Time passes when somebody sleeps, and the robot moves meanwhile."""

    def __init__(self, simulator, side):
        self.simulator, self.side, self.time = simulator, side, 1_000_000_000

    def now(self):
        return self.time

    monotonic_ns = now

    def monotonic(self):
        return self.time * 1e-9

    def sleep(self, seconds):
        self.sleep_until(self.time + round(seconds * 1e9))

    def sleep_until(self, deadline):
        while self.time < deadline:
            virtual_robot._advance(self.simulator, self.side, self.time)
            self.time += round(1e9 / HZ)


@pytest.fixture(scope="module")
def quadruped():
    return find_robot("quadruped")


@pytest.fixture(scope="module")
def task(quadruped):
    return make_task(quadruped, Kinematics(quadruped, compile_model(quadruped)))


@pytest.fixture(scope="module")
def controller_file(quadruped, task, tmp_path_factory):
    """A policy that hardly moves, but answers all that it sees."""
    torch.manual_seed(1)
    policy = Policy((task.nobs, 16, 12), "elu").eval()
    with torch.no_grad():
        policy.layers[-1].weight *= 0.1  # type: ignore[operator]
        policy.layers[-1].bias *= 0.0  # type: ignore[operator]
    path = tmp_path_factory.mktemp("quadruped") / "controller.onnx"
    export(policy, quadruped, task, path, trained_on={}, origin={})
    return path


@pytest.fixture(scope="module")
def driven(quadruped, controller_file, tmp_path_factory):
    """A run of the controller on a virtual robot in Bullet: summary, recording, last base."""
    path = tmp_path_factory.mktemp("run") / "run.mcap"
    controller = Controller.load(controller_file, quadruped)
    robot = dataclasses.replace(quadruped, control_hz=HZ)
    with (
        BulletSimulator(robot, 1) as simulator,
        UdpRobot(quadruped, "127.0.0.1:0") as side,
        pytest.MonkeyPatch.context() as patch,
    ):
        virtual_robot.start_over(simulator)
        clock = RobotsTime(simulator, side)
        patch.setattr(udp, "time", clock)
        with (
            connected(UdpDriver(quadruped, side.address)) as driver,
            Recorder(path, quadruped, origin=controller.origin, goal=(0.0, 0.0, 0.0)) as recorder,
        ):
            summary = run(
                controller, driver, seconds=2.0, goal=(0.0, 0.0, 0.0), recorder=recorder,
                clock=clock,
            )  # fmt: skip
            base = simulator.base
    return summary, path, base


def test_a_quadruped_stands_in_bullet_under_a_controller_that_sees_its_imu(driven):
    summary, _, base = driven
    assert (summary.ended, summary.reason) == ("done", "")
    assert summary.ticks >= 95
    assert 0.2 < base.position[0, 2] < 0.3


def test_the_recording_holds_what_the_controller_saw(driven, quadruped, controller_file):
    trajectory, metadata = read_recording(driven[1])
    assert metadata["signals"]["orientation"]["frame"] == "world ← base"
    np.testing.assert_allclose(np.linalg.norm(trajectory.orientation, axis=1), 1.0, atol=1e-6)
    assert 0.0 < np.abs(trajectory.angular_velocity).max() < 5.0
    controller = Controller.load(controller_file, quadruped)
    controller.reset(resting_command(quadruped))
    blended = 30  # steps in which the controller takes over from the home position
    for row, sent in enumerate(trajectory.command):
        wanted = controller.step(trajectory.measured.of(row), np.zeros(3))
        if row > blended:
            np.testing.assert_allclose(wanted, sent, atol=1e-5)
        controller.sent(sent)


def test_a_controller_answers_its_imu(quadruped, controller_file):
    controller, (row, goal) = Controller.load(controller_file, quadruped), (0, np.zeros(3))
    level = RobotVectorEnv(quadruped, 1, randomized=False).sim.measure().of(row)
    level = dataclasses.replace(level, orientation=np.array([1.0, 0.0, 0.0, 0.0]))
    for change in (
        {"orientation": np.array([0.96, 0.28, 0.0, 0.0])},
        {"angular_velocity": np.array([0.0, 0.0, 2.0])},
    ):
        commands = []
        for measured in (level, dataclasses.replace(level, **change)):
            controller.reset(resting_command(quadruped))
            commands.append(controller.step(measured, goal))
        assert np.abs(commands[0] - commands[1]).max() > 1e-4


def test_a_recording_of_a_standing_robot_succeeds_at_standing(driven, quadruped, task):
    trajectory, _ = read_recording(driven[1])
    result = score(trajectory, quadruped, task, np.zeros(3))
    assert result.success
    assert result.total / result.steps > 1.0
    assert not score(trajectory, quadruped, task, np.array([0.8, 0.0, 0.0])).success


def test_a_recording_that_tells_no_velocity_is_not_scored(driven):
    ant = find_robot("ant")
    trajectory, _ = read_recording(driven[1])
    eight = {name: getattr(trajectory, name)[:, :8] for name in ("position", "velocity", "command")}
    few = dataclasses.replace(trajectory, joints=tuple(ant.joints), driven=ant.driven, **eight)
    with pytest.raises(LogError, match="no velocity of its base"):
        score(few, ant, make_task(ant, Kinematics(ant, compile_model(ant))), np.zeros(0))


def test_a_controller_for_a_robot_with_an_imu_is_refused_by_one_without(quadruped, controller_file):
    fixed = dataclasses.replace(quadruped, base=None)
    with pytest.raises(ControllerError, match="measures position, velocity"):
        Controller.load(controller_file, fixed)


def test_the_velocity_of_the_base_is_the_critics_alone(quadruped):
    env = RobotVectorEnv(quadruped, 3, seed=1)
    env.reset()
    before, seen = env.privileged[:, -4:], env._observe()
    base = env.sim.base
    base.linear_velocity[...] += [1.0, 2.0, 3.0]
    base.position[...] += [5.0, 6.0, 0.5]
    np.testing.assert_array_equal(env._observe(), seen)
    moved = rotate_back(base.orientation, np.tile([1.0, 2.0, 3.0], (3, 1)))
    change = np.concatenate([np.full((3, 1), 0.5), moved], axis=1)
    np.testing.assert_allclose(env.privileged[:, -4:] - before, change, atol=1e-6)


def test_the_critic_is_told_the_last_velocity_of_an_episode_not_the_next_ones_first(quadruped):
    env = RslRlEnv(RobotVectorEnv(quadruped, 2, seed=1))
    env.env.steps[:] = env.env.max_steps - 1
    *_, extras = env.step(torch.zeros(2, 12))
    last = extras["final_observations"]["privileged"]
    assert last.shape == env.observations["privileged"].shape
    assert not torch.equal(last[:, -3:], env.observations["privileged"][:, -3:])


@pytest.mark.parametrize("name", ["ant", "quadruped"])
def test_an_environment_with_a_base_continues_exactly(name):
    env, other = (RobotVectorEnv(find_robot(name), 3, seed=5) for _ in range(2))
    env.reset()
    plan = np.random.default_rng(0).uniform(-1, 1, (20, *env.action_space.shape))
    for action in plan[:10]:
        env.step(action)
    other.load_state_dict(env.state_dict())
    for action in plan[10:]:
        for a, b in zip(env.step(action)[:4], other.step(action)[:4], strict=True):
            np.testing.assert_array_equal(a, b)
