import numpy as np
import pytest

from sim2real.parameters import randomness
from sim2real.sim.clock import Clock

RATE, N = 100.0, 5


@pytest.fixture
def clock():
    clock = Clock(N, RATE)
    clock.identify(3, np.arange(N) + 10)
    clock.begin(7)
    return clock


def drawn(environment, episode, step, seed=3):
    return randomness.normal(seed, "noise", environment, episode, step, size=4)


def test_a_draw_is_that_of_seed_environment_episode_and_step(clock):
    clock.step[:] = [0, 1, 2, 3, 4]
    expected = drawn(np.arange(N) + 10, 7, np.arange(N))
    np.testing.assert_array_equal(clock.normal("noise", 4), expected)
    np.testing.assert_array_equal(clock.normal("noise", 4, np.array([4, 1])), expected[[4, 1]])


def test_what_was_drawn_before_does_not_change_what_another_episode_draws(clock):
    clock.normal("noise", 4)
    clock.begin(np.array([8, 9]), np.array([1, 3]))
    expected = drawn(np.arange(N) + 10, np.array([7, 8, 7, 9, 7]), 0)
    np.testing.assert_array_equal(clock.normal("noise", 4), expected)


def test_another_seed_or_other_environments_are_other_draws(clock):
    before = clock.normal("noise", 4)
    clock.identify(4)
    np.testing.assert_array_equal(clock.normal("noise", 4), drawn(np.arange(N) + 10, 7, 0, seed=4))
    clock.identify(3, np.arange(N))
    assert not np.isin(clock.normal("noise", 4), before).any()


def test_episodes_can_be_read_but_not_changed_in_passing(clock):
    clock.episode[:] = 0
    np.testing.assert_array_equal(clock.episode, 7)
