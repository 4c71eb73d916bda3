import numpy as np
import pytest

from sim2real.control import ActionMap
from sim2real.shipped import find_robot


@pytest.mark.parametrize("name", ["pendulum", "hopper", "so101"])
def test_the_action_behind_a_command_is_found_again(name):
    actions = ActionMap.of(find_robot(name))
    rng = np.random.default_rng(0)
    action = rng.uniform(-1, 1, (20, len(actions.scale)))
    previous = 0.3 * rng.uniform(-1, 1, action.shape) * (actions.high < 10)
    command = actions.command(action, previous)
    inside = (command > actions.low) & (command < actions.high)
    assert inside.mean() > 0.8
    found = actions.action(command, previous)
    np.testing.assert_allclose(found[inside], action[inside], atol=1e-5)


def test_a_servo_that_is_told_to_stay_was_asked_for_nothing():
    actions = ActionMap.of(find_robot("so101"))
    held = np.full((3, 6), 0.2)
    np.testing.assert_array_equal(actions.action(held, held), np.zeros((3, 6)))
