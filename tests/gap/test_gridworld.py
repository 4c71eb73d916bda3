"""Experiment B: what theory says of a wall that only the target has, and of a room."""

import pytest


@pytest.fixture(scope="module")
def world(benchmark):
    """Return the benchmark's module."""
    return benchmark("gridworld")


def test_the_exact_ratio_leads_around_a_wall_that_the_source_has_not(world):
    found = world.exact(world.WALL)
    assert found["source"] < 0.01
    assert found["exact"] > 0.99


def test_it_is_learned_from_a_thousand_steps_on_the_target(world):
    found = world.darc(world.WALL, 0)
    assert found["steps"] <= 1000
    assert found["success"] >= 0.95


def test_without_the_second_classifier_nobody_arrives(world):
    assert world.darc(world.WALL, 0, most=1000, sa=False)["success"] < 0.5


def test_a_room_whose_door_the_source_has_not_is_never_left(world):
    """What no reward can do: the target's way out does not exist in the source."""
    found = world.exact(world.ROOM)
    assert found["target"] > 0.99
    assert found["exact"] < 0.01
    assert world.darc(world.ROOM, 0, most=1000)["success"] < 0.05
