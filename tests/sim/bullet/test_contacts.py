"""Shapes, friction and which geoms touch, in Bullet as in the model."""

import numpy as np
import pytest

from sim2real.errors import RobotError
from sim2real.robot import Joint, Limits
from sim2real.sim.bullet.simulator import BulletSimulator

PASSIVE = Joint(mode="passive")
MOTOR = Joint(mode="torque", limits=Limits(torque=100.0, velocity=100.0))
PLANAR = """<joint name="x" type="slide" axis="1 0 0"/><joint name="z" type="slide" axis="0 0 1"/>
            <joint name="turn" type="hinge" axis="0 1 0"/>"""
PLANAR_JOINTS = {"x": MOTOR, "z": PASSIVE, "turn": PASSIVE}
MESH = """<asset><mesh name="hull" vertex="-.1 -.1 -.1 .1 -.1 -.1 -.1 .1 -.1 .1 .1 -.1
          -.1 -.1 .1 .1 -.1 .1 -.1 .1 .1 .1 .1 .1 0 0 0"/></asset>"""


def scene(geom, floor='friction="0.5"', extra=""):
    return f"""<option timestep="0.001"/>{MESH}{extra}<worldbody>
      <geom name="floor" type="plane" size="5 5 1" {floor}/>
      <body name="thing" pos="0 0 1">{PLANAR}<geom name="thing" mass="2" {geom}/></body>
      </worldbody>"""


@pytest.mark.parametrize(
    ("geom", "height"),
    [
        ('type="box" size="0.2 0.1 0.1"', 0.1),
        ('type="sphere" size="0.1"', 0.1),
        ('type="capsule" size="0.1 0.2" euler="0 90 0"', 0.1),
        ('type="cylinder" size="0.2 0.1"', 0.1),
        ('type="ellipsoid" size="0.2 0.2 0.1"', 0.1),
        ('type="mesh" mesh="hull"', 0.1),
        ('type="box" size="0.2 0.1 0.05" pos="0 0 -0.05"', 0.1),
    ],
    ids=["box", "sphere", "capsule", "cylinder", "ellipsoid", "mesh", "offset box"],
)
def test_shape_rests_on_the_floor(make_robot, both, geom, height):
    pair = both(make_robot(scene(geom), PLANAR_JOINTS))
    pair.reset([0.0, height - 1.0 + 0.01, 0.0])
    for rows in pair.play(lambda step: 0.0, 100):
        np.testing.assert_allclose(rows[-1, :2], [0.0, height - 1.0], atol=3e-3)
        assert abs(rows[-1, 2]) < 0.02  # an ellipsoid rocks on one of its facets
        assert np.ptp(rows[-20:], axis=0).max() < (0.02 if "ellipsoid" in geom else 1e-3)


@pytest.mark.parametrize(
    ("geom", "floor", "friction"),
    [
        ('friction="0.3"', 'friction="0.6"', 0.6),
        ('friction="0.7"', 'friction="0.2"', 0.7),
        ('friction="0.4"', 'friction="1.7" priority="-1"', 0.4),
        ('friction="0.3" condim="1"', 'friction="0.9" condim="1"', 0.0),
        ('friction="0.3" condim="1"', 'friction="0.9" condim="3"', 0.9),
    ],
)
def test_box_slides_as_far_as_the_larger_friction_lets_it(make_robot, both, geom, floor, friction):
    """MuJoCo's rule, which Bullet by itself does not have: v0^2 / (2 mu g)."""
    pair = both(make_robot(scene(f'type="box" size="0.2 0.1 0.05" {geom}', floor), PLANAR_JOINTS))
    pair.reset([0.0, -0.95, 0.0], [1.0, 0.0, 0.0])
    distance = 1.0 / (2 * friction * 9.81) if friction else 0.5
    for rows in pair.play(lambda step: 0.0, 50):
        assert rows[-1, 0] == pytest.approx(distance, rel=0.05)


def test_sliding_ball_ends_up_rolling(make_robot, both):
    """At 5/7 of its speed, in both engines."""
    pair = both(make_robot(scene('type="sphere" size="0.1"'), PLANAR_JOINTS))
    pair.reset([0.0, -0.9, 0.0], [1.0, 0.0, 0.0])
    pair.play(lambda step: 0.0, 60)
    for simulator in (pair.mujoco, pair.bullet):
        rate, _, turn = simulator.velocity[0]
        assert rate == pytest.approx(5 / 7, rel=0.01)
        assert turn == pytest.approx(rate / 0.1, rel=0.01)


@pytest.mark.parametrize(
    ("geom", "extra"),
    [
        ('contype="0" conaffinity="0"', ""),
        ('contype="2" conaffinity="2"', ""),
        ("", '<contact><exclude body1="thing" body2="world"/></contact>'),
        ("", '<option><flag contact="disable"/></option>'),
    ],
)
def test_geom_that_does_not_touch_falls_through(make_robot, both, geom, extra):
    pair = both(make_robot(scene(f'type="sphere" size="0.1" {geom}', extra=extra), PLANAR_JOINTS))
    pair.reset([0.0, -0.85, 0.0])
    mujoco_rows, bullet_rows = pair.play(lambda step: 0.0, 50)
    assert bullet_rows[-1, 1] < -1.5
    np.testing.assert_allclose(mujoco_rows, bullet_rows, atol=1e-6)


BRANCHES = """<option timestep="0.001" gravity="0 0 0"/><worldbody>
  <geom name="wall" type="box" size="0.05 0.3 0.3" pos="0.75 0 1"/>
  <body name="trunk" pos="0 0 1"><joint name="x" type="slide" axis="1 0 0" damping="1"/>
    <geom name="trunk" type="box" size="0.1 0.1 0.1" mass="1"/>
    <body name="left" pos="0 0.2 0"><joint name="left" axis="0 1 0" damping="0.1"/>
      <geom name="left" type="capsule" fromto="0 0 0 0.4 0 0" size="0.03" mass="0.2"/>
      <body pos="0.4 0 0"><joint name="tip" axis="0 1 0" damping="0.1"/>
        <geom type="sphere" size="0.04" mass="0.1"/></body></body>
    <body name="right" pos="0 -0.2 0"><joint name="right" axis="0 1 0" damping="0.1"/>
      <geom name="right" type="capsule" fromto="0 0 0 0.2 0 0" size="0.03" mass="0.4"/></body>
  </body></worldbody>"""


def test_branches_keep_their_joints_and_shapes(make_robot, both):
    """The longer arm touches the wall first, and stops the trunk."""
    joints = {"right": MOTOR, "x": MOTOR, "tip": MOTOR, "left": MOTOR}
    pair = both(make_robot(BRANCHES, joints))
    pair.reset([0.3, 0.0, 0.2, -0.1], [0.0, 0.3, 0.0, 0.0])
    mujoco_rows, bullet_rows = pair.play(lambda step: [0.05, 1.0, 0.01, 0.01], 40)
    np.testing.assert_allclose(mujoco_rows, bullet_rows, atol=1e-6)
    pair.reset(0.0)
    mujoco_rows, bullet_rows = pair.play(lambda step: [0.0, 5.0, 0.0, 0.0], 150)
    np.testing.assert_allclose(bullet_rows[-1], [0.0, 0.26, 0.0, 0.0], atol=5e-3)
    np.testing.assert_allclose(mujoco_rows[-1], bullet_rows[-1], atol=5e-3)


def test_links_of_one_robot_touch_each_other(make_robot, both):
    mjcf = """<option timestep="0.001" gravity="0 0 0"/><worldbody>
      <body><joint name="a" type="slide" axis="1 0 0" damping="1"/>
        <geom type="sphere" size="0.1" mass="1"/></body>
      <body pos="0.5 0 0"><joint name="b" type="slide" axis="1 0 0" damping="1"/>
        <geom type="box" size="0.1 0.1 0.1" mass="1"/></body></worldbody>"""
    pair = both(make_robot(mjcf, {"a": MOTOR, "b": PASSIVE}))
    pair.reset(0.0)
    for rows in pair.play(lambda step: 2.0, 200):
        assert rows[-1, 0] - rows[-1, 1] == pytest.approx(0.3, abs=5e-3)
        assert rows[-1, 1] > 0.5


def test_stacked_boxes_stand(make_robot, both):
    """Redundant contact points, which make an exact solver's system singular."""
    mjcf = """<option timestep="0.002"/><worldbody><geom type="plane" size="5 5 1"/>
      <body pos="0 0 0.1"><joint name="x" type="slide" axis="1 0 0"/>
        <joint name="z" type="slide" axis="0 0 1"/><joint name="turn" axis="0 1 0"/>
        <geom type="box" size="0.2 0.2 0.1" mass="3"/></body>
      <body pos="0 0 0.3"><joint name="X" type="slide" axis="1 0 0"/>
        <joint name="Z" type="slide" axis="0 0 1"/><joint name="Turn" axis="0 1 0"/>
        <geom type="box" size="0.15 0.15 0.1" mass="1"/></body></worldbody>"""
    joints = {"x": MOTOR, **{name: PASSIVE for name in ("z", "turn", "X", "Z", "Turn")}}
    pair = both(make_robot(mjcf, joints))
    pair.reset(0.0)
    for rows in pair.play(lambda step: 0.0, 200):
        np.testing.assert_allclose(rows[-1], 0.0, atol=5e-3)


def test_randomized_friction_reaches_the_contact(make_robot):
    robot = make_robot(scene('type="box" size="0.2 0.1 0.05" friction="0.1"'), PLANAR_JOINTS)
    with BulletSimulator(robot, 2) as simulator:
        simulator.fields.expand("geom_friction")[1, :, 0] = 1.0
        simulator.reset(
            np.arange(2, dtype=np.int32),
            np.tile([0.0, -0.95, 0.0], (2, 1)),
            np.tile([1.0, 0.0, 0.0], (2, 1)),
            np.zeros((2, 1)),
        )
        for _ in range(50):
            simulator.step(np.zeros((2, 1)))
        np.testing.assert_allclose(simulator.position[:, 0], [0.102, 0.051], rtol=0.05)


@pytest.mark.parametrize(
    ("element", "named"),
    [
        ('<tendon><fixed name="t"><joint joint="x" coef="1"/></fixed></tendon>', "tendon"),
        ('<equality><joint joint1="x" joint2="turn"/></equality>', "equality"),
        ('<contact><pair geom1="floor" geom2="thing"/></contact>', "contact pair"),
        ('<option density="1.2"/>', "fluid"),
        ('<worldbody><body name="box"><freejoint name="f"/><geom size=".1"/></body></worldbody>',
         "free joint 'f'"),
        ('<worldbody><body><joint name="j" type="ball"/><geom size=".1"/></body></worldbody>',
         "ball joint 'j'"),
        ('<worldbody><body mocap="true"/></worldbody>', "mocap"),
        ('<worldbody><body gravcomp="1"><joint/><geom size=".1"/></body></worldbody>',
         "gravity compensation"),
    ],
)  # fmt: skip
def test_what_bullet_lacks_is_refused_by_name(make_robot, element, named):
    robot = make_robot(scene('type="sphere" size="0.1"', extra=element), PLANAR_JOINTS)
    with pytest.raises(RobotError, match=named):
        BulletSimulator(robot, 1)
