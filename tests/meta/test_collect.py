"""What is collected is what the simulated robots did."""

import dataclasses

import mujoco
import numpy as np
import torch

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.collect import collect, state_space
from sim2real.meta.excite import Excitation
from sim2real.robot import Robot
from sim2real.shipped import find_robot


def nominal(name: str, **changes: object) -> Robot:
    return dataclasses.replace(find_robot(name), randomize={}, correlate=(), **changes)


def test_half_cheetah_sees_neither_its_place_nor_its_turns() -> None:
    space = state_space(RobotVectorEnv(nominal("half_cheetah"), 1))
    assert (space.unseen, space.angles, space.nstate) == ((0,), (2,), 18)


def test_the_shoulder_of_an_arm_with_limits_is_no_angle() -> None:
    assert state_space(RobotVectorEnv(nominal("so101"), 1)).angles == ()


def test_transitions_are_those_of_the_compiled_model() -> None:
    robot = nominal("pendulum")
    env = RobotVectorEnv(robot, 3)
    env.reset(seed=0)
    data = collect(env, 40, Excitation(0, 3, 1, robot.control_hz))
    model = env.sim.model
    simulation, steps = mujoco.MjData(model), round(1.0 / robot.control_hz / model.opt.timestep)
    for t in range(0, 40, 8):
        simulation.qpos[:], simulation.qvel[:] = data.states[1, t, :1], data.states[1, t, 1:]
        simulation.ctrl[:] = data.commands[1, t]
        mujoco.mj_step(model, simulation, steps)
        found = np.concatenate([simulation.qpos, simulation.qvel])
        np.testing.assert_allclose(data.next_states[1, t], found, atol=2e-4)


def test_states_go_on_within_an_episode_and_break_off_at_its_end() -> None:
    task = find_robot("pendulum").task | {"episode_seconds": 0.1}
    robot = nominal("pendulum", task=task)
    env = RobotVectorEnv(robot, 2)
    env.reset(seed=0)
    data = collect(env, 25, Excitation(0, 2, 1, robot.control_hz))
    follows = (data.next_states[:, :-1] == data.states[:, 1:]).all(dim=2)
    same = data.episode[:, :-1] == data.episode[:, 1:]
    assert torch.equal(follows, same)
    assert (~same).sum() == 4  # after steps 10 and 20, of two robots


def test_collecting_leaves_no_watcher_behind() -> None:
    env = RobotVectorEnv(nominal("pendulum"), 1)
    env.reset(seed=0)
    collect(env, 2, Excitation(0, 1, 1, 100.0))
    assert env.watchers == []


def test_excitations_are_within_bounds_and_differ_between_robots_and_joints() -> None:
    shake = Excitation(0, 4, 3, 50.0)
    actions = np.array([shake(step) for step in range(200)])
    assert np.abs(actions).max() <= 1.0
    rows = actions.reshape(200, 12).T
    correlation = np.corrcoef(rows) - np.eye(12)
    assert np.abs(correlation).max() < 0.9
    assert (actions.std(axis=0) > 0.03).all()
