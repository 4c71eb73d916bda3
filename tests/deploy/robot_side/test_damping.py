import numpy as np

from sim2real.deploy.robot_side.damping import damp_command


def test_a_motor_brakes_and_a_servo_stays_where_it_was_measured(arm):
    command = damp_command(arm, np.array([0.7, 0.0, 0.0]), np.array([1.0, 0.0, 4.0]))
    np.testing.assert_allclose(command, [0.7, -2.0])


def test_a_motor_brakes_within_its_torque_limit(arm):
    fast = np.array([0.0, 0.0, -100.0])
    np.testing.assert_allclose(damp_command(arm, np.zeros(3), fast), [0.0, 3.0])
