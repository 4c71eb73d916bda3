import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sim2real.sim import imu

ANGLE = st.floats(-np.pi, np.pi)


@given(st.lists(st.tuples(ANGLE, ANGLE, ANGLE), min_size=1, max_size=4))
def test_mounting_is_roll_pitch_yaw_about_the_bodys_axes(tilts):
    tilt = np.array(tilts)
    truth = Rotation.from_euler("xyz", tilt).as_matrix()
    np.testing.assert_allclose(imu.mounting(tilt), truth, atol=1e-12)


def test_a_level_sensor_sees_the_body_as_it_is():
    vector = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(imu.as_seen(vector, np.zeros((5, 3))), vector)


def test_a_sensor_that_is_yawed_left_sees_forward_on_its_right():
    seen = imu.as_seen(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, np.pi / 2]]))
    np.testing.assert_allclose(seen, [[0.0, -1.0, 0.0]], atol=1e-15)


def test_gravity_tells_a_rolled_sensor_by_how_much():
    seen = imu.as_seen(np.array([[0.0, 0.0, -1.0]]), np.array([[0.1, 0.0, 0.0]]))
    np.testing.assert_allclose(np.arctan2(-seen[0, 1], -seen[0, 2]), 0.1)
