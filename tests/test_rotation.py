import mujoco
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim2real.rotation import forward_axis, projected_gravity, rotate, rotate_back

numbers = arrays(np.float64, 4, elements=st.floats(-1, 1)).filter(lambda q: (q**2).sum() > 1e-2)


def matrix(quaternion):
    flat = np.empty(9)
    mujoco.mju_quat2Mat(flat, quaternion)
    return flat.reshape(3, 3)


@given(numbers)
def test_rotations_are_mujocos(raw):
    q = raw / np.linalg.norm(raw)
    turn, v = matrix(q), np.array([0.3, -1.2, 0.7])
    np.testing.assert_allclose(rotate(q[None], v[None])[0], turn @ v, atol=1e-12)
    np.testing.assert_allclose(rotate_back(q[None], v[None])[0], turn.T @ v, atol=1e-12)
    np.testing.assert_allclose(projected_gravity(q[None])[0], turn.T @ [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(forward_axis(q[None])[0], turn.T @ [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("function", [projected_gravity, forward_axis])
def test_numpy_and_torch_agree(function):
    q = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(function(torch.from_numpy(q)).numpy(), function(q), rtol=1e-12)


def test_gravity_does_not_depend_on_the_heading():
    angle = np.linspace(-np.pi, np.pi, 9)[:, None]
    level = np.hstack([np.cos(angle / 2), 0 * angle, 0 * angle, np.sin(angle / 2)])
    np.testing.assert_allclose(projected_gravity(level), np.tile([0, 0, -1.0], (9, 1)), atol=1e-12)
