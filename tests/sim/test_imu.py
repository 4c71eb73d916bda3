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


def rotation(quaternion):
    return Rotation.from_quat(quaternion, scalar_first=True)


@given(st.lists(st.tuples(*[ANGLE] * 6), min_size=1, max_size=3))
def test_turning_an_orientation_is_composing_rotations(rows):
    first, second = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    quaternion = Rotation.from_rotvec(first).as_quat(scalar_first=True)
    truth = Rotation.from_rotvec(first) * Rotation.from_rotvec(second)
    turned = rotation(imu.turned(quaternion, second))
    np.testing.assert_allclose(turned.as_matrix(), truth.as_matrix(), atol=1e-9)


def test_a_tilted_sensors_orientation_and_vectors_agree():
    """What it says about gravity by its orientation is what it sees of it."""
    rng = np.random.default_rng(1)
    body = Rotation.random(5, rng=rng)
    tilt = rng.uniform(-0.5, 0.5, (5, 3))
    down = np.array([0.0, 0.0, -1.0])
    seen = imu.as_seen(body.inv().apply(down), tilt)
    orientation = imu.orientation_as_seen(body.as_quat(scalar_first=True), tilt)
    np.testing.assert_allclose(rotation(orientation).inv().apply(down), seen, atol=1e-12)
