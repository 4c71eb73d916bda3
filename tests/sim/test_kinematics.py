import mujoco
import numpy as np
import pytest
import torch

from sim2real.errors import RobotError
from sim2real.shipped import find_robot
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model, joint_addresses


@pytest.mark.parametrize("name", ["pendulum", "so101"])
def test_the_tip_is_where_mujoco_says(name):
    robot = find_robot(name)
    model = compile_model(robot)
    data, (qpos, _) = mujoco.MjData(model), joint_addresses(robot, model)
    joints = np.random.default_rng(0).uniform(-2, 2, (20, len(robot.joints)))
    tip, rotation = Kinematics(robot, model).tip(joints)
    for row in range(20):
        data.qpos[qpos] = joints[row]
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(tip[row], data.site("tip").xpos, atol=1e-12)
        np.testing.assert_allclose(rotation[row].ravel(), data.site("tip").xmat, atol=1e-12)


def test_slides_offsets_and_anchors_count(tmp_path):
    (tmp_path / "arm.xml").write_text(
        "<mujoco><worldbody><body name='a' pos='0.1 0 1' euler='0 30 0'>"
        "<joint name='rail' type='slide' axis='1 1 0' ref='0.3'/>"
        "<joint name='hinge' axis='0 1 0' pos='0 0 0.2' ref='20'/><geom size='.1'/>"
        "<site name='tip' pos='0.3 0 0' euler='0 0 45'/></body></worldbody></mujoco>"
    )
    joint = '{ mode = "torque", limits = { torque = 1.0, velocity = 1.0 } }'
    (tmp_path / "robot.toml").write_text(
        f'model = "arm.xml"\ncontrol_hz = 50\ntip = "tip"\ntask = {{ name = "run" }}\n'
        f"[joints]\nrail = {joint}\nhinge = {joint}\n"
    )
    robot = find_robot(str(tmp_path))
    model = compile_model(robot)
    data = mujoco.MjData(model)
    data.qpos[:] = [0.7, -0.4]
    mujoco.mj_kinematics(model, data)
    tip, rotation = Kinematics(robot, model).tip(np.array([[0.7, -0.4]]))
    np.testing.assert_allclose(tip[0], data.site("tip").xpos, atol=1e-12)
    np.testing.assert_allclose(rotation[0].ravel(), data.site("tip").xmat, atol=1e-12)


def test_torch_gives_what_numpy_gives():
    robot = find_robot("so101")
    kinematics = Kinematics(robot, compile_model(robot))
    joints = np.random.default_rng(0).uniform(-2, 2, (5, 6))
    for ours, theirs in zip(
        kinematics.tip(joints), kinematics.tip(torch.from_numpy(joints)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-14)


def test_a_robot_without_a_tip_has_no_pose():
    robot = find_robot("hopper")
    with pytest.raises(RobotError, match="no tip"):
        Kinematics(robot, compile_model(robot)).tip(np.zeros((1, 6)))
