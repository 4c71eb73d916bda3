import numpy as np
import pytest

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.evaluation.recording import score
from sim2real.shipped import find_robot
from sim2real.trajectory import Trajectory


def recorded_episode(env, steps, torque):
    """Return a trajectory of environment 0, and the sum of its rewards."""
    env.reset(seed=1)
    position, velocity = [env.sim.position[0].copy()], [env.sim.velocity[0].copy()]
    total, command = 0.0, []
    for step in range(steps):
        action = np.full((1, 1), torque(step), np.float32)
        _, reward, *_ = env.step(action)
        position.append(env.sim.position[0].copy())
        velocity.append(env.sim.velocity[0].copy())
        command.append(env.command[0].copy())
        total += float(reward[0])
    stamps = np.arange(steps + 1) * 10_000_000
    rows = {"position": position, "velocity": velocity, "command": [*command, command[-1]]}
    arrays = {name: np.array(values) for name, values in rows.items()}
    names = ("pivot",)
    return Trajectory(joints=names, driven=names, time=stamps, **arrays), total


def test_a_recording_earns_what_the_environment_gave():
    robot = find_robot("pendulum")
    env = RobotVectorEnv(robot, 1, randomized=False)
    trajectory, total = recorded_episode(env, 100, lambda step: np.sin(0.1 * step))
    result = score(trajectory, robot, env.task, np.zeros(0))
    assert result.total == pytest.approx(total, rel=1e-6)
    assert result.steps == 100
    assert not result.success


def still(angle, steps=200):
    column = np.full((steps, 1), angle)
    return Trajectory(
        joints=("pivot",), driven=("pivot",), time=np.arange(steps) * 10_000_000,
        position=column, velocity=0 * column, command=0 * column)  # fmt: skip


def test_a_recording_succeeds_if_the_end_of_it_does():
    robot = find_robot("pendulum")
    task = RobotVectorEnv(robot, 1).task
    assert score(still(np.pi), robot, task, np.zeros(0)).success
    assert not score(still(0.0), robot, task, np.zeros(0)).success


def test_a_robot_that_ran_away_has_failed():
    robot = find_robot("pendulum")
    task = RobotVectorEnv(robot, 1).task
    trajectory = still(np.pi)
    trajectory.velocity[50] = 100.0
    result = score(trajectory, robot, task, np.zeros(0))
    assert not result.success
    assert result.steps == 50
