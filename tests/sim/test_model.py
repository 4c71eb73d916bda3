"""The compiled model is what robot.toml says, whatever else the model file holds."""

import mujoco
import numpy as np
import pytest

from sim2real.errors import RobotError
from sim2real.robot import Joint, Limits
from sim2real.shipped import find_robot, robot_names
from sim2real.sim.model import compile_model, joint_addresses, substeps

MOTOR = Joint(mode="torque", limits=Limits(torque=3.0, velocity=10.0))
SERVO = Joint(
    mode="position",
    kp=20.0,
    kd=0.5,
    action_scale=1.0,
    limits=Limits(torque=3.0, velocity=10.0, position=(-1.0, 2.0)),
)
BODY = """<option timestep="0.002"/><worldbody><body><joint name="shoulder"/><geom size=".1"/>
  <body><joint name="elbow"/><geom size=".1"/><site name="hand"/></body></body></worldbody>"""


def test_each_driven_joint_gets_its_actuator(make_robot):
    joints = {"elbow": SERVO, "shoulder": MOTOR}
    model = compile_model(make_robot(BODY, joints))
    assert [model.actuator(i).name for i in range(model.nu)] == ["elbow", "shoulder"]
    np.testing.assert_array_equal(model.actuator_forcerange, [[-3.0, 3.0]] * 2)
    np.testing.assert_array_equal(model.actuator_gainprm[:, 0], [20.0, 1.0])
    np.testing.assert_array_equal(model.actuator_biasprm[:, :3], [[0.0, -20.0, -0.5], [0.0] * 3])
    np.testing.assert_array_equal(model.actuator("elbow").ctrlrange, [-1.0, 2.0])
    qpos, qvel = joint_addresses(make_robot(BODY, joints), model)
    assert qpos.tolist() == qvel.tolist() == [1, 0]


def test_passive_joint_gets_none(make_robot):
    model = compile_model(make_robot(BODY, {"shoulder": MOTOR, "elbow": Joint(mode="passive")}))
    assert model.nu == 1


@pytest.mark.parametrize(
    "extra",
    [
        '<actuator><motor name="old" joint="elbow" gear="9"/></actuator>',
        '<default><motor gear="200" ctrllimited="true" ctrlrange="-.4 .4"/></default>',
        '<default><general gear="7" delay="0.1" nsample="60" armature="1" damping="3"/></default>',
        """<actuator><motor name="old" joint="elbow"/></actuator>
           <keyframe><key name="home" qpos="1 1" ctrl="0.3"/></keyframe>""",
        """<actuator><motor name="old" joint="elbow"/></actuator>
           <sensor><actuatorfrc actuator="old"/><jointpos joint="elbow"/></sensor>""",
    ],
    ids=["actuator", "motor default", "general default", "keyframe", "sensor"],
)
def test_nothing_of_the_files_own_actuators_is_left(make_robot, extra):
    plain = compile_model(make_robot(BODY, {"shoulder": MOTOR, "elbow": SERVO}))
    model = compile_model(make_robot(BODY + extra, {"shoulder": MOTOR, "elbow": SERVO}))
    for field in ("gear", "ctrllimited", "ctrlrange", "gainprm", "delay", "history", "armature"):
        name = f"actuator_{field}"
        np.testing.assert_array_equal(getattr(model, name), getattr(plain, name), err_msg=name)


def test_hopper_takes_its_whole_torque():
    model = compile_model(find_robot("hopper"))
    data = mujoco.MjData(model)
    data.ctrl[:] = 500.0
    mujoco.mj_forward(model, data)
    np.testing.assert_allclose(data.qfrc_actuator[3:], 200.0)


@pytest.mark.parametrize("name", robot_names())
def test_shipped_robot_compiles(name):
    robot = find_robot(name)
    model = compile_model(robot)
    assert model.nu == len(robot.driven)
    assert substeps(robot, model) * model.opt.timestep == pytest.approx(1.0 / robot.control_hz)


def test_longest_delay_of_the_ranges_fits_the_history(make_robot):
    ranges = {"actuator.elbow.delay": {"set": [0.0, 0.031]}}
    robot = make_robot(BODY, {"shoulder": MOTOR, "elbow": MOTOR}, randomize=ranges)
    assert compile_model(robot).actuator_history[:, 0].tolist() == [16, 16]
    assert compile_model(robot, max_delay=0.0).actuator_history[:, 0].tolist() == [0, 0]


def test_longest_delay_fits_the_history_at_the_shortest_time_step(make_robot):
    """Trap: a delay of more steps than the history holds reads before it, without an error."""
    ranges = {
        "actuator.elbow.delay": {"set": [0.0, 0.03]},
        "opt.timestep": {"scale": [0.5, 1.0]},
    }
    robot = make_robot(BODY, {"shoulder": MOTOR, "elbow": MOTOR}, randomize=ranges)
    assert compile_model(robot).actuator_history[:, 0].tolist() == [30, 30]


def test_delay_without_a_bound_is_refused(make_robot):
    ranges = {"actuator.elbow.delay": {"set": {"normal": [0.0, 0.031]}}}
    robot = make_robot(BODY, {"shoulder": MOTOR, "elbow": MOTOR}, randomize=ranges)
    with pytest.raises(RobotError, match="upper bound"):
        compile_model(robot)


def test_physics_hz_sets_the_time_step(make_robot):
    robot = make_robot(BODY, {"shoulder": MOTOR}, physics_hz=4000.0)
    model = compile_model(robot)
    assert model.opt.timestep == 1 / 4000
    assert substeps(robot, model) == 40


def test_unknown_joint_is_an_error_with_the_near_name(make_robot):
    with pytest.raises(RobotError, match="no joint 'elbov'; did you mean 'elbow'"):
        compile_model(make_robot(BODY, {"elbov": MOTOR}))


def test_unknown_tip_is_an_error_with_the_near_name(make_robot):
    with pytest.raises(RobotError, match="no site 'hamd'; did you mean 'hand'"):
        compile_model(make_robot(BODY, {"elbow": MOTOR}, tip="hamd"))


def test_the_tip_may_be_a_link_that_a_urdf_fixes_to_another(make_robot, tmp_path):
    robot = make_robot("", {"elbow": MOTOR}, tip="hand", feet=("hand", "fore"))
    (tmp_path / "robot.xml").write_text("""<robot name="arm"><link name="base"/><link name="fore">
      <inertial><mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1" ixy="0" ixz="0" iyz="0"/>
      </inertial></link><link name="hand"/>
      <joint name="elbow" type="revolute"><parent link="base"/><child link="fore"/>
      <axis xyz="0 1 0"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
      <joint name="wrist" type="fixed"><origin xyz="0 0 -0.3"/><parent link="fore"/>
      <child link="hand"/></joint></robot>""")
    data = mujoco.MjData(model := compile_model(robot))
    data.qpos[0] = np.pi / 2
    mujoco.mj_kinematics(model, data)
    np.testing.assert_allclose(data.site("hand").xpos, [-0.3, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(data.site("fore").xpos, 0.0, atol=1e-12)


def test_ball_joint_is_refused(make_robot):
    ball = BODY.replace('name="elbow"', 'name="elbow" type="ball"')
    with pytest.raises(RobotError, match="must be a hinge or a slide"):
        compile_model(make_robot(ball, {"elbow": MOTOR}))


@pytest.mark.parametrize("control_hz", [300.0, 1000.0 / 3, 900.0])
def test_rate_that_does_not_divide_the_physics_rate_is_refused(make_robot, control_hz):
    with pytest.raises(RobotError, match="must divide the physics rate of 500 Hz"):
        compile_model(make_robot(BODY, {"elbow": MOTOR}, control_hz=control_hz))


@pytest.mark.parametrize(
    ("mjcf", "message"),
    [("<nonsense/>", "does not load"), ('<worldbody><body><joint name="elbow"/></body></worldbody>',
      "does not compile")],
)  # fmt: skip
def test_broken_model_is_a_robot_error(make_robot, mjcf, message):
    with pytest.raises(RobotError, match=message):
        compile_model(make_robot(mjcf, {"elbow": MOTOR}))
