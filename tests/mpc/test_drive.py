"""Many robots at once, each planned for on a model of its own."""

import numpy as np
import pytest
import torch

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.collect import state_space
from sim2real.meta.plain import PlainDynamics
from sim2real.meta.scaling import Scaling
from sim2real.mpc.drive import ManyPolicies
from sim2real.mpc.icem import ICEM
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.robot import Robot

N = 3
PLANNER = ICEM(horizon=4, candidates=8, iterations=2, elites=3, kept=1, colour=1.0)
PLANNED = [name for name in shipped.robot_names() if shipped.find_robot(name).base is None]


def policies(robot: Robot) -> tuple[RobotVectorEnv, AdaptivePolicy]:
    env = RobotVectorEnv(robot, N, seed=0)
    env.reset(seed=0)
    torch.manual_seed(0)
    model = PlainDynamics(Scaling(state_space(env)), (16,), "tanh", window=4)
    return env, AdaptivePolicy(robot, env.task, model.eval(), PLANNER)


@pytest.mark.parametrize("name", PLANNED)
def test_robots_driven_together_act_as_each_does_alone(name: str) -> None:
    env, policy = policies(shipped.find_robot(name))
    many = ManyPolicies(policy, N)
    starts = dict(many.states)
    measured = env.sim.measure()
    together = many.act(measured, env.command, env.goal)
    assert together.shape == (N, len(env.robot.driven))
    for i in range(N):
        alone = ManyPolicies(policy, 1)
        alone.states = {name: value[i : i + 1] for name, value in starts.items()}
        one = alone.act(measured.of(slice(i, i + 1)), env.command[i : i + 1], env.goal[i : i + 1])
        np.testing.assert_allclose(one[0], together[i], atol=1e-5)
