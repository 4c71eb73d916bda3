"""Mass distributions stay physical, and are what a slow sum over points says."""

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.randomization.parameters import ParameterSet
from sim2real.randomization.terms import inertia
from sim2real.sim.mujoco_batch import MujocoSimulator

ONE = np.zeros(1, np.int32)
BODY = '<inertial pos="0.1 -0.2 0.3" mass="2" diaginertia="0.05 0.04 0.02" quat="0.8 0.2 0.5 0.1"/>'
TREE = """<option gravity="0 0 0"/><worldbody><body name="b"><joint name="j" axis="0 1 0"/>{}{}
  </body></worldbody>"""


@pytest.fixture
def body(make_body):
    return make_body(TREE.format(BODY, ""))


@pytest.fixture
def make_body(make_robot):
    return lambda mjcf: MujocoSimulator(make_robot(mjcf), 1)


def spatial(model, name="b"):
    """Return mass, centre (3,) and inertia tensor about the centre in the body's axes (3, 3)."""
    body = model.body(name)
    axes = np.empty(9)
    mujoco.mju_quat2Mat(axes, body.iquat)
    axes = axes.reshape(3, 3)
    return body.mass[0], body.ipos.copy(), axes @ np.diag(body.inertia) @ axes.T


def write(sim, **numbers):
    names = [f"body.b.{name.replace('__', '[')}{']' * ('__' in name)}" for name in numbers]
    chosen = ParameterSet(sim.model, tuple(sim.robot.joints), names)
    chosen.write(sim, ONE, np.array([list(numbers.values())], float))
    return sim.fields.get_model(0)


def test_a_payload_is_a_body_welded_to_the_body(body, make_body):
    place = (0.3, 0.1, -0.2)
    drawn = write(body, payload=0.7, **{f"payload_pos__{i}": x for i, x in enumerate(place)})
    mass, centre, tensor = spatial(drawn)
    assert mass == pytest.approx(2.7)
    np.testing.assert_allclose(
        centre, (2 * np.array([0.1, -0.2, 0.3]) + 0.7 * np.array(place)) / 2.7
    )
    # the truth: both parts about the new centre, by Steiner's theorem
    expected = np.zeros((3, 3))
    m0, c0, tensor0 = spatial(body.model)
    for m, c, about in ((m0, c0, tensor0), (0.7, np.array(place), np.zeros((3, 3)))):
        d = c - centre
        expected += about + m * (d @ d * np.eye(3) - np.outer(d, d))
    np.testing.assert_allclose(tensor, expected, atol=1e-12)
    bead = """<body pos="0.3 0.1 -0.2">
      <inertial pos="0 0 0" mass="0.7" diaginertia="1e-12 1e-12 1e-12"/></body>"""
    welded = make_body(TREE.format(BODY, bead)).model
    for model in (drawn, welded):
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        full = np.zeros((1, 1))
        mujoco.mj_fullM(model, data, full)
        assert full[0, 0] == pytest.approx(spinning_inertia(drawn), rel=1e-9)


def spinning_inertia(model):
    mass, centre, tensor = spatial(model)
    return tensor[1, 1] + mass * (centre[0] ** 2 + centre[2] ** 2)


def test_a_log_cholesky_deformation_moves_every_point_of_the_body(body):
    theta = np.array([0.1, 0.2, -0.1, 0.05, 0.3, -0.2, 0.1, 0.02, -0.03, 0.01])
    mass, centre, tensor = spatial(
        write(body, **{f"pseudo_inertia__{i}": x for i, x in enumerate(theta)})
    )
    # the truth: twelve points with the body's moments, each moved by the affine map
    m0, c0, tensor0 = spatial(body.model)
    values, axes = np.linalg.eigh(0.5 * np.trace(tensor0) * np.eye(3) - tensor0)
    arms = (axes * np.sqrt(3.0 * values / m0)).T
    points, weight = np.concatenate([arms, -arms]), m0 / 6
    a, d1, d2, d3, s12, s23, s13, *t = theta
    affine = np.array([[np.exp(d1), s12, s13], [0, np.exp(d2), s23], [0, 0, np.exp(d3)]])
    moved, weight = points @ affine.T + c0 + np.array(t), weight * np.exp(2 * a)
    assert mass == pytest.approx(6 * weight)
    np.testing.assert_allclose(centre, moved.mean(axis=0))
    away = moved - moved.mean(axis=0)
    expected = weight * sum(d @ d * np.eye(3) - np.outer(d, d) for d in away)
    np.testing.assert_allclose(tensor, expected, atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=10, max_size=10))
def test_every_log_cholesky_deformation_is_a_physical_inertia(theta):
    second = inertia.second_moments(np.array([0.05, 0.04, 0.02]), np.eye(3))
    body = inertia.Moments(np.array(2.0), np.zeros(3), second)
    mass, _, second = inertia.deformed(body, *inertia.log_cholesky(np.array(theta)))
    moments, axes = inertia.principal_axes(second)
    assert mass > 0
    largest, middle, smallest = moments
    assert smallest > 0
    assert middle + smallest >= largest * (1 - 1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)


def test_a_link_twice_as_long_at_the_same_mass_a_metre_is_a_rod_of_twice_the_mass(make_body):
    rod = """<option gravity="0 0 0"/><worldbody><body name="b"><joint name="j" axis="0 1 0"/>
      <geom name="rod" type="cylinder" pos="0 0 -0.5" size="0.01 0.5" mass="1"/>
      <site name="middle" pos="0 0 -0.5"/>
      <body name="child" pos="0 0 -1"><joint name="k" axis="0 1 0"/><geom size="0.1"/></body>
      </body></worldbody>"""
    sim = make_body(rod)
    drawn = write(sim, length=2.0)
    mass, centre, tensor = spatial(drawn)
    assert mass == pytest.approx(2.0)
    np.testing.assert_allclose(centre, [0, 0, -1.0], atol=1e-15)
    # of a cylinder across its axis: m (3 r² + h²) / 12
    assert tensor[1, 1] == pytest.approx(2.0 * (3 * 0.01**2 + 2.0**2) / 12)
    np.testing.assert_allclose(drawn.body("child").pos, [0, 0, -2.0])
    np.testing.assert_allclose(drawn.geom("rod").size[1], 1.0)
    np.testing.assert_allclose(drawn.site("middle").pos, [0, 0, -1.0])
    heavy = spatial(write(make_body(rod), length_at_mass=2.0))
    assert heavy[0] == pytest.approx(1.0)
    assert heavy[2][1, 1] == pytest.approx((3 * 0.01**2 + 2.0**2) / 12)


def test_terms_of_one_body_act_together(body, make_body):
    mass, centre, _ = spatial(write(body, mass=4.0, ipos__0=0.0, payload=1.0, inertia_scale=1.5))
    assert mass == 5.0
    np.testing.assert_allclose(centre, 0.8 * np.array([0.0, -0.2, 0.3]))
    other = make_body(TREE.format(BODY, ""))
    mass, _, tensor = spatial(write(other, mass=4.0, inertia_scale=1.5))
    np.testing.assert_allclose(tensor, 3.0 * spatial(body.model)[2], atol=1e-15)
    assert mass == 4.0
