import numpy as np
import pytest

from sim2real.control import ActionMap
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.commands import limit_command
from sim2real.envs.guard import Guard
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.shipped import find_robot
from sim2real.signals import Measured


@pytest.fixture(scope="module")
def reacher():
    return find_robot("reacher")


def test_in_training_a_command_is_limited_as_on_the_robot(reacher):
    env = RobotVectorEnv(reacher, 8, seed=1, enveloped=True)
    env.reset(seed=1)
    envelope, rng = Envelope.of(reacher), np.random.default_rng(0)
    for _ in range(20):
        before, measured = env.command.copy(), env.sim.measure()
        views = {name: value.copy() for name, value in measured.signals().items()}
        action = rng.uniform(-1, 1, (8, 7)).astype(np.float32)
        wanted = ActionMap.of(reacher).command(action, before).astype(np.float64)
        steps = env.steps.copy()
        env.step(action)
        for i in np.flatnonzero(env.steps == steps + 1):  # an episode that ended began anew
            alone = Measured(**{name: value[i] for name, value in views.items()})
            sent, _ = limit_command(envelope, wanted[i], before[i], alone)
            np.testing.assert_array_equal(env.command[i], sent)
    assert env.guard.steps == 160
    assert 0 < env.guard.interventions <= 160
    assert env.guard.intervention == env.guard.interventions / 160


def test_without_an_envelope_nothing_is_limited(reacher):
    assert RobotVectorEnv(reacher, 1).guard is None


def test_an_episode_ends_where_the_run_on_the_robot_would(reacher):
    env = RobotVectorEnv(reacher, 2, seed=1, enveloped=True, randomized=False)
    env.reset(seed=1)
    start = env.sim.position[:1].copy()
    fast = np.full_like(start, 40.0)  # 30 rad/s are the limit
    env.sim.reset(np.zeros(1, np.int32), start, fast, np.zeros((1, 7)))
    _, _, terminated, _, _ = env.step(np.zeros((2, 7), np.float32))
    assert terminated.tolist() == [True, False]
    assert env.guard.trips == 1


def test_counts_begin_anew():
    guard = Guard(Envelope.of(find_robot("pendulum")))
    still = Measured(position=np.zeros((3, 1)), velocity=np.zeros((3, 1)))
    sent = guard.limit(np.array([[0.0], [5.0], [1.0]]), np.zeros((3, 1)), still)
    np.testing.assert_array_equal(sent, [[0.0], [2.0], [1.0]])
    assert (guard.steps, guard.interventions) == (3, 1)
    guard.restart()
    assert (guard.steps, guard.interventions, guard.trips) == (0, 0, 0)
