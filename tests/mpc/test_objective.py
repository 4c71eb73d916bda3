import dataclasses

import numpy as np
import pytest
import torch

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.mpc.objective import ModelObjective, Situation
from sim2real.mpc.simulation import SimulatedObjective
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.tasks import make_task

N, HORIZON = 5, 8
POSITION, VELOCITY, COMMAND = np.array([0.3]), np.array([0.5]), np.array([0.2])


@pytest.fixture
def actions():
    return np.random.default_rng(0).uniform(-1.0, 1.0, (N, HORIZON, 1))


def paid(robot, actions, ranges=None):
    """Return what an environment pays for sequences (n, horizon, 1), all from one start."""
    env = RobotVectorEnv(robot, len(actions), randomized=False)
    env.reset(seed=0)
    n = len(actions)
    start = (np.tile(x, (n, 1)) for x in (POSITION, VELOCITY, COMMAND))
    env.sim.reset(np.arange(n, dtype=np.int32), *start)
    env.command[...] = COMMAND
    rewards = np.zeros(n)
    for step in range(actions.shape[1]):
        _, reward, terminated, _, _ = env.step(actions[:, step])
        assert not terminated.any()
        rewards += reward
    return rewards


def test_the_simulator_returns_what_an_environment_pays(pendulum, actions):
    objective = SimulatedObjective(pendulum, N + 2)
    here = objective.at(POSITION, VELOCITY, COMMAND, np.zeros(0))
    found = here(torch.from_numpy(actions))
    np.testing.assert_allclose(found.numpy(), paid(pendulum, actions), atol=1e-12)


def test_a_model_returns_what_an_environment_pays_if_it_is_the_truth(pendulum, actions):
    sim = MujocoSimulator(pendulum, N)
    task = make_task(pendulum, Kinematics(pendulum, sim.model))

    def predict(state, command):
        position, velocity = np.split(state.numpy(), 2, axis=1)
        sim.reset(np.arange(N, dtype=np.int32), position, velocity, command.numpy())
        sim.step(command.numpy().astype(float))
        return torch.from_numpy(np.hstack([sim.position, sim.velocity]))

    now = Situation(
        state=torch.tensor([[*POSITION, *VELOCITY]]),
        command=torch.from_numpy(COMMAND)[None],
        goal=torch.zeros(1, 0).double(),
    )
    objective = ModelObjective(robot=pendulum, task=task)
    found = objective.returns(predict, now, torch.from_numpy(actions))
    np.testing.assert_allclose(found.numpy(), paid(pendulum, actions), atol=1e-9)


def test_a_failure_ends_a_rollout_and_is_charged(pendulum, actions):
    task = make_task(pendulum, Kinematics(pendulum, compile_model(pendulum)))
    too_fast = torch.tensor([[0.0, 25.0]]).double()
    now = Situation(
        state=too_fast, command=torch.zeros(1, 1).double(), goal=torch.zeros(1, 0).double()
    )
    costs = [0.0, 7.0]
    low, high = (
        ModelObjective(robot=pendulum, task=task, failure_cost=cost).returns(
            lambda state, command: state, now, torch.from_numpy(actions)
        )
        for cost in costs
    )
    torch.testing.assert_close(low - high, torch.full((N,), 7.0).double())  # charged once


def test_several_worlds_are_weighed_by_risk(pendulum, actions):
    found = []
    for risk in (0.0, 0.5, 1.0):
        objective = SimulatedObjective(pendulum, N, worlds=6, seed=3, risk=risk)
        here = objective.at(POSITION, VELOCITY, COMMAND, np.zeros(0))
        found.append(here(torch.from_numpy(actions)))
    assert (found[0] > found[2]).all()
    torch.testing.assert_close(found[1], 0.5 * (found[0] + found[2]))


def test_one_world_is_the_nominal_robot_whatever_the_seed(pendulum, actions):
    found = [
        SimulatedObjective(pendulum, N, seed=seed).at(POSITION, VELOCITY, COMMAND, np.zeros(0))(
            torch.from_numpy(actions)
        )
        for seed in (0, 1)
    ]
    torch.testing.assert_close(found[0], found[1])


def test_more_sequences_than_there_is_room_for_are_refused(pendulum, actions):
    here = SimulatedObjective(pendulum, 2).at(POSITION, VELOCITY, COMMAND, np.zeros(0))
    with pytest.raises(ConfigError, match="room for 2"):
        here(torch.from_numpy(actions))


def test_a_model_of_joints_alone_refuses_a_floating_base():
    robot = shipped.find_robot("ant")
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    with pytest.raises(ConfigError, match="floating base"):
        ModelObjective(robot=robot, task=task)


def test_the_simulator_plans_for_a_floating_base():
    robot = dataclasses.replace(shipped.find_robot("ant"), randomize={})
    objective = SimulatedObjective(robot, 3)
    env = RobotVectorEnv(robot, 1, randomized=False)
    env.reset(seed=0)
    here = objective.at(
        env.sim.position[0], env.sim.velocity[0], env.command[0], np.zeros(0), env.sim.base
    )
    found = here(torch.zeros(2, 3, len(robot.driven)))
    expected = sum(float(env.step(np.zeros((1, 8)))[1][0]) for _ in range(3))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
