import numpy as np

from sim2real.shipped import find_robot
from sim2real.signals import Measured, measured_signals, row_size


def test_a_robot_without_a_base_measures_its_joints_alone():
    pendulum = find_robot("pendulum")
    assert list(measured_signals(pendulum)) == ["position", "velocity"]
    assert row_size(pendulum) == 2


def test_a_floating_base_adds_what_an_imu_tells_with_unit_and_frame():
    signals = measured_signals(find_robot("quadruped"))
    assert list(signals) == ["position", "velocity", "orientation", "angular_velocity"]
    assert (signals["orientation"].size, signals["orientation"].frame) == (4, "world ← base")
    assert (signals["angular_velocity"].unit, signals["angular_velocity"].frame) == (
        "rad/s",
        "base",
    )


def test_a_row_is_split_into_the_signals_that_made_it():
    quadruped = find_robot("quadruped")
    row = np.arange(31.0)
    measured = Measured.split(quadruped, row)
    np.testing.assert_array_equal(measured.orientation, [24, 25, 26, 27])
    np.testing.assert_array_equal(measured.angular_velocity, [28, 29, 30])
    assert measured.row() == row.tolist()
