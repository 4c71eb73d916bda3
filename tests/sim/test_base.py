"""A floating base is where MuJoCo has it, in both engines, and its sensors tell the truth."""

import dataclasses

import mujoco
import numpy as np
import pytest

from sim2real.control import resting_command
from sim2real.errors import ParameterError, RobotError
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import FloatingBase, Joint, Limits
from sim2real.rotation import projected_gravity
from sim2real.shipped import find_robot
from sim2real.sim.base import BaseState
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator

ONE = np.zeros(1, np.int32)
SERVO = Joint(
    mode="position", kp=20.0, kd=0.5, action_scale=1.0,
    limits=Limits(torque=50.0, velocity=50.0, position=(-3.0, 3.0)),
)  # fmt: skip
FLYER = """<option timestep="0.001" gravity="0 0 -9.81" integrator="implicitfast"/>
<worldbody><body name="trunk" pos="0 0 1"><freejoint name="root"/>
  <inertial pos="0.03 -0.02 0.01" mass="2" fullinertia="0.02 0.03 0.04 0.002 -0.001 0.003"/>
  <body pos="0.2 0 0"><joint name="arm" axis="0 1 0" armature="0.01"/>
    <inertial pos="0.1 0.02 0" mass="0.7" diaginertia="0.002 0.005 0.004"/>
  </body></body></worldbody>"""
TUMBLING = BaseState(
    position=np.array([[0.1, -0.2, 3.0]]),
    orientation=np.array([[0.8, 0.36, 0.48, 0.0]]),
    linear_velocity=np.array([[0.5, -0.3, 1.0]]),
    angular_velocity=np.array([[1.0, -2.0, 3.0]]),
)


def flyer(make_robot):
    base = FloatingBase(body="trunk", height=1.0)
    return make_robot(FLYER, {"arm": SERVO}, base=base)


def test_a_tumbling_robot_flies_alike_in_both_engines(make_robot):
    robot = flyer(make_robot)
    still = np.zeros((1, 1))
    with BulletSimulator(robot, 1) as bullet:
        pair = MujocoSimulator(robot, 1), bullet
        for simulator in pair:
            simulator.reset(ONE, still, still, still, TUMBLING)
        for step in range(50):
            for simulator in pair:
                simulator.step(still + 0.5 * np.sin(0.1 * step))
        ours, theirs = (simulator.base for simulator in pair)
        for name in ("position", "linear_velocity", "angular_velocity"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=0.02)
        # a quaternion and its negative are one rotation
        assert abs((ours.orientation * theirs.orientation).sum()) > 0.9999
        np.testing.assert_allclose(pair[0].position, pair[1].position, atol=2e-3)


@pytest.mark.parametrize("engine", [MujocoSimulator, BulletSimulator])
def test_a_base_starts_where_it_is_put(make_robot, engine):
    robot, still = flyer(make_robot), np.zeros((1, 1))
    simulator = engine(robot, 1)
    simulator.reset(ONE, still, still, still, TUMBLING)
    for name, value in vars(TUMBLING).items():
        np.testing.assert_allclose(getattr(simulator.base, name), value, atol=1e-12)
    simulator.reset(ONE, still, still, still)
    np.testing.assert_array_equal(simulator.base.position, [[0.0, 0.0, 1.0]])
    if isinstance(simulator, BulletSimulator):
        simulator.close()


def test_the_truth_is_what_a_gyroscope_in_the_base_reports(make_robot):
    """MuJoCo's own gyro and frame sensors, on the same state."""
    text = FLYER.replace('<freejoint name="root"/>', '<freejoint name="root"/><site name="imu"/>')
    text += """<sensor><gyro site="imu"/><framequat objtype="site" objname="imu"/></sensor>"""
    robot = make_robot(text, {"arm": SERVO}, base=FloatingBase(body="trunk", height=1.0))
    simulator, still = MujocoSimulator(robot, 1), np.zeros((1, 1))
    simulator.reset(ONE, still, still, still, TUMBLING)
    simulator.step(still)
    data = mujoco.MjData(simulator.model)
    simulator.fields.get_data(0, data)
    mujoco.mj_forward(simulator.model, data)
    np.testing.assert_allclose(
        simulator.truth["angular_velocity"][0], data.sensordata[:3], atol=1e-12
    )
    np.testing.assert_allclose(simulator.truth["orientation"][0], data.sensordata[3:], atol=1e-12)


@pytest.mark.parametrize(
    ("body", "says"), [("tronk", "did you mean 'trunk'"), ("box", "freejoint")]
)
def test_a_base_that_the_model_does_not_have_is_refused(make_robot, body, says):
    text = FLYER.replace("<worldbody>", '<worldbody><body name="box"><geom size=".1"/></body>')
    robot = make_robot(text, {"arm": SERVO}, base=FloatingBase(body=body, height=1.0))
    with pytest.raises(RobotError, match=says):
        compile_model(robot)


def test_bullet_refuses_a_free_body_that_is_not_the_base(make_robot):
    robot = dataclasses.replace(flyer(make_robot), base=None)
    with pytest.raises(RobotError, match=r"\[base\]"):
        BulletSimulator(robot, 1)


@pytest.mark.parametrize("engine", [MujocoSimulator, BulletSimulator])
def test_the_quadruped_stands_at_home(engine):
    robot = find_robot("quadruped")
    simulator = engine(robot, 1)
    home = np.array([[joint.home for joint in robot.joints.values()]])
    simulator.reset(ONE, home, np.zeros_like(home), rest := resting_command(robot)[None])
    for _ in range(150):
        simulator.step(rest)
    base = simulator.base
    assert 0.22 < base.position[0, 2] < 0.28
    assert np.linalg.norm(base.position[0, :2]) < 0.06
    assert projected_gravity(base.orientation)[0, 2] < -0.995
    assert np.abs(simulator.velocity).max() < 0.2
    if isinstance(simulator, BulletSimulator):
        simulator.close()


def test_feet_are_where_mujoco_has_them():
    robot = find_robot("quadruped")
    model = compile_model(robot)
    kinematics, data = Kinematics(robot, model), mujoco.MjData(model)
    rng = np.random.default_rng(0)
    data.qpos[:3], data.qpos[3:7] = 0.0, [1, 0, 0, 0]
    data.qpos[7:], data.qvel[6:] = rng.normal(size=12), rng.normal(size=12)
    mujoco.mj_forward(model, data)
    position, velocity = data.qpos[None, 7:], data.qvel[None, 6:]
    jacobian = np.zeros((3, model.nv))
    for i, foot in enumerate(robot.feet):
        mujoco.mj_jacSite(model, data, jacobian, None, model.site(foot).id)
        here, moved = (values[0, i] for values in kinematics.feet_motion(position, velocity))
        np.testing.assert_allclose(here, data.site(foot).xpos, atol=1e-12)
        np.testing.assert_allclose(moved, jacobian @ data.qvel, atol=1e-6)


def test_a_push_moves_a_floating_base_alike_in_both_engines(make_robot):
    """On the arm: Bullet gets it as a force at the base, a torque about it and one at the joint."""
    robot, still = flyer(make_robot), np.zeros((1, 1))
    wrench = np.zeros((3, 6))
    wrench[1], wrench[2] = [3.0, -2.0, 1.0, 0.1, 0.2, -0.3], [-1.0, 4.0, 2.0, 0.3, -0.1, 0.2]
    with BulletSimulator(robot, 1) as bullet:
        pair = MujocoSimulator(robot, 1), bullet
        for simulator in pair:
            simulator.effects.pushes.wrenches.expand("wrench")[:] = wrench.reshape(1, -1)
            simulator.reset(ONE, still, still, still, TUMBLING)
            for _ in range(10):
                simulator.step(still)
        ours, theirs = (simulator.base for simulator in pair)
        unpushed = MujocoSimulator(robot, 1)
        unpushed.reset(ONE, still, still, still, TUMBLING)
        for _ in range(10):
            unpushed.step(still)
        for name in ("linear_velocity", "angular_velocity"):
            moved = getattr(ours, name) - getattr(unpushed.base, name)
            assert np.abs(moved).max() > 0.1
            np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), atol=0.01)
        np.testing.assert_allclose(pair[0].position, pair[1].position, atol=1e-3)


@pytest.mark.parametrize("engine", [MujocoSimulator, BulletSimulator])
def test_an_imu_is_as_flawed_as_its_parameters_say(engine):
    robot = find_robot("quadruped")
    names = ("body.trunk.angular_velocity_bias[2]", "body.trunk.imu_tilt[0]")
    simulator = engine(robot, 1)
    ParameterSet(simulator.model, tuple(robot.joints), names).write(
        simulator, ONE, np.array([[0.3, 0.1]])
    )
    home = np.array([[joint.home for joint in robot.joints.values()]])
    simulator.reset(ONE, home, 0 * home, home)
    measured = simulator.measure()
    np.testing.assert_allclose(measured.angular_velocity, [[0.0, 0.0, 0.3]], atol=1e-9)
    tilted = [[0.0, -np.sin(0.1), -np.cos(0.1)]]
    np.testing.assert_allclose(projected_gravity(measured.orientation), tilted, atol=1e-9)
    if isinstance(simulator, BulletSimulator):
        simulator.close()


@pytest.mark.parametrize("name", ["body.bob.imu_tilt[0]", "body.bob.orientation_noise[1]"])
def test_a_robot_without_a_base_has_no_imu(name):
    robot = find_robot("pendulum")
    with pytest.raises(ParameterError, match="only a floating base"):
        ParameterSet(compile_model(robot), tuple(robot.joints), (name,))
