"""What an exported file says that its policy met in training."""

import numpy as np

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.export.seen import seen_by
from sim2real.shipped import find_robot
from sim2real.signals import measured_signals


def test_ranges_hold_nearly_all_that_is_measured_while_the_policy_drives():
    robot = find_robot("reacher")
    env = RobotVectorEnv(robot, 4, seed=3)
    act = lambda seen: np.tanh(seen[:, :7])  # noqa: E731
    seen = seen_by(env, act)
    assert list(seen) == [*measured_signals(robot), "goal"]
    assert env.watchers == []
    observation, _ = env.reset(seed=env.seed)
    rows = []
    for _ in range(env.max_steps - 1):
        observation, *_ = env.step(act(observation))
        rows.append(env.sim.measure().velocity.copy())
    low, high = map(np.array, seen["velocity"])
    inside = (low <= np.array(rows)) & (np.array(rows) <= high)
    assert 0.99 < inside.mean() < 1.0
    np.testing.assert_array_less(low, high)


def test_goals_of_a_task_span_what_it_draws():
    seen = seen_by(RobotVectorEnv(find_robot("quadruped"), 2, seed=0), lambda s: np.zeros((2, 12)))
    np.testing.assert_allclose(seen["goal"], [(-0.5, -0.4, -0.8), (1.0, 0.4, 0.8)])


def test_a_joint_that_turns_for_ever_may_be_anywhere():
    seen = seen_by(RobotVectorEnv(find_robot("pendulum"), 2), lambda s: np.zeros((2, 1)))
    assert seen["position"][0][0] < -1e8
    assert "goal" not in seen
