"""Where the target's transitions come from."""

import numpy as np
import pytest

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.observer import StateReader
from sim2real.gap.target import OnlineTarget
from sim2real.shipped import find_robot

EPISODE = 600  # control steps of the pendulum's


@pytest.fixture
def env() -> RobotVectorEnv:
    return RobotVectorEnv(find_robot("pendulum"), 1, seed=0)


def still(rows):
    return np.zeros((len(rows), 1))


def test_a_robot_is_acted_on_for_whole_episodes_when_enough_steps_are_owed(env) -> None:
    target = OnlineTarget(env, StateReader(env), 20 * EPISODE)
    assert target.collect(still, EPISODE - 1) is None
    found = target.collect(still, EPISODE + 1)
    assert found is not None
    assert len(found) == target.steps == EPISODE
    assert env.episode[0] == 1
    assert env.steps[0] == 0


def test_a_small_budget_is_spread_over_the_training(env) -> None:
    target = OnlineTarget(env, StateReader(env), 200)
    assert target.collect(still, 9) is None
    assert [len(target.collect(still, 10) or ()) for _ in range(25)] == 20 * [10] + 5 * [0]
    assert target.steps == 200
