"""How far outside of what training met a robot is, and goals that training never asked for."""

import dataclasses

import numpy as np
import pytest

from sim2real.deploy.controller import Controller
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.loop import run
from sim2real.deploy.seen import ANYTHING, Novelty, check_goal, outside
from sim2real.errors import ControllerError
from sim2real.robot import EnvelopeOptions
from sim2real.signals import Measured

SEEN = {
    "position": ((-ANYTHING,), (ANYTHING,)),
    "velocity": ((-2.0,), (2.0,)),
    "goal": ((0.0,), (0.8,)),
}


def measured(position, velocity):
    return Measured(position=np.array([position]), velocity=np.array([velocity]))


def test_a_number_is_outside_by_the_share_of_its_range():
    low, high = np.array([-1.0, 0.0, 5.0]), np.array([1.0, 4.0, 5.0])
    np.testing.assert_allclose(outside(low, high, np.array([0.5, 4.0, 5.0])), [0.0, 0.0, 0.0])
    away = outside(low, high, np.array([-2.0, 6.0, 5.02]))
    np.testing.assert_allclose(away, [0.5, 0.5, 2.0])  # what stood still may move by 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_as_far_outside_as_can_be(value):
    assert outside(np.array([-1.0]), np.array([1.0]), np.array([value]))[0] > 1e300


def test_the_furthest_that_a_robot_got_is_remembered_with_its_name(pendulum):
    novelty = Novelty(SEEN, Envelope.of(pendulum))
    assert [novelty.of(measured(100.0, v)) for v in (0.0, 4.0, -2.4, 1.0)] == pytest.approx(
        [0.0, 0.5, 0.1, 0.0]
    )
    assert (novelty.most, novelty.name) == (0.5, "velocity of 'pivot'")


def test_without_ranges_nothing_is_new(pendulum):
    novelty = Novelty({}, Envelope.of(pendulum))
    assert novelty.of(measured(np.nan, 1e9)) == novelty.most == 0.0


def test_a_goal_that_training_never_asked_for_is_refused_with_its_range():
    check_goal(SEEN, np.array([0.8]))
    check_goal(SEEN, np.array([0.805]))  # a sample's ends are not the range's
    check_goal({}, np.array([5.0]))
    for goal in (0.9, -0.1, np.nan):
        with pytest.raises(ControllerError, match=r"trained on 0 to 0\.8"):
            check_goal(SEEN, np.array([goal]))


@pytest.fixture
def driven(pendulum, export, spec, fakes):
    """Run a controller that met SEEN, on a pendulum that turns with a velocity of 3 rad/s."""

    def drive(novelty=None, **run_options):
        options = EnvelopeOptions(novelty=novelty)
        robot = dataclasses.replace(pendulum, envelope=options)
        controller = Controller.load(export(spec, seen=SEEN), robot)
        clock = fakes[0]()
        driver = fakes[1](robot, clock)
        driver.reading = lambda m: dataclasses.replace(
            m, signals=measured(3.0e-9 * (m.stamp - 1_000_000_000), 3.0)
        )
        return run(controller, driver, seconds=0.5, clock=clock, **run_options), driver

    return drive


def test_a_run_tells_how_far_outside_of_training_it_went(driven):
    summary, _ = driven()
    assert summary.ended == "done"
    assert (summary.novelty, summary.newest) == (0.25, "velocity of 'pivot'")


def test_a_run_ends_where_the_envelope_bears_no_more_of_the_unknown(driven):
    summary, driver = driven(novelty=0.2)
    assert summary.ended == "trip"
    assert "velocity of 'pivot' is 0.25 widths outside" in summary.reason
    assert driver.log[-1] == "damp"
    assert driven(novelty=0.3)[0].ended == "done"


def test_a_run_for_a_goal_that_training_never_asked_for_does_not_begin(driven):
    with pytest.raises(ControllerError, match=r"trained on 0 to 0\.8"):
        driven(goal=[1.0])


@pytest.mark.parametrize(
    "seen",
    [
        {"position": ((0.0,), (1.0,))},
        SEEN | {"velocity": ((-2.0, 1.0), (2.0, 1.0))},
        SEEN | {"velocity": ((2.0,), (-2.0,))},
        SEEN | {"speed": ((2.0,), (3.0,))},
    ],
)
def test_ranges_that_are_none_are_refused(pendulum, export, spec, seen):
    with pytest.raises(ControllerError, match="met in training"):
        Controller.load(export(spec, seen=seen), pendulum)


def test_ranges_belong_to_their_signals_in_whatever_order_a_file_has_them(pendulum):
    turned = dict(reversed(SEEN.items()))
    assert list(turned) != list(SEEN)
    one, other = (Novelty(seen, Envelope.of(pendulum)) for seen in (SEEN, turned))
    assert one.of(measured(0.5, 4.0)) == other.of(measured(0.5, 4.0)) > 0.0
