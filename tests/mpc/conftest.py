import dataclasses

import numpy as np
import pytest
import torch

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.collect import collect, state_space
from sim2real.meta.excite import Excitation
from sim2real.meta.fit import FitSettings, fit, fit_scaling
from sim2real.meta.last_layer import LastLayerDynamics
from sim2real.meta.scaling import Scaling


@pytest.fixture(scope="session")
def pendulum():
    """Return the pendulum at 25 Hz, with noiseless sensors and drives of varying strength."""
    randomize = {"actuator.pivot.gain": {"scale": [0.5, 1.2]}}
    robot = shipped.find_robot("pendulum")
    return dataclasses.replace(robot, control_hz=25.0, randomize=randomize)


@pytest.fixture(scope="session")
def dynamics(pendulum):
    """Return a small model of the pendulum that adapts, trained for a second."""
    env = RobotVectorEnv(pendulum, 24, seed=1)
    env.reset(seed=1)
    torch.manual_seed(0)
    model = LastLayerDynamics(Scaling(state_space(env)), (32, 32), "tanh", window=12)
    episodes = collect(env, 60, Excitation(1, 24, 1, pendulum.control_hz))
    fit_scaling(model, episodes)
    fit(model, episodes, FitSettings(steps=250, tasks=8, learning_rate=3e-3), seed=0)
    return model.eval()


@pytest.fixture
def env(pendulum):
    """Return one nominal pendulum."""
    env = RobotVectorEnv(pendulum, 1, randomized=False)
    env.reset(seed=0)
    env.sim.reset(np.zeros(1, np.int32), *(np.full((1, 1), x) for x in (0.3, 0.5, 0.0)))
    return env
