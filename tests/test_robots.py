"""What every shipped robot must do."""

from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest
import torch

from sim2real.deploy.envelope.bounds import Envelope
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.export.onnx_file import export
from sim2real.shipped import find_robot, robot_names
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy

ALL = robot_names()


@pytest.mark.parametrize("name", ALL)
def test_a_robot_survives_1000_random_steps_in_random_worlds(name):
    env = RobotVectorEnv(find_robot(name), 4, seed=3)
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(1000):
        action = rng.uniform(-1.0, 1.0, env.action_space.shape)
        observation, reward, *_ = env.step(action)
        assert np.isfinite(observation).all()
        assert np.isfinite(reward).all()
        assert not env.sim.diverged.any()


@pytest.mark.parametrize("name", ALL)
def test_no_joint_is_trusted_to_brake_harder_than_its_motor_can(name):
    robot = find_robot(name)
    model = compile_model(robot)
    data, inertia = mujoco.MjData(model), np.zeros((model.nv, model.nv))
    rng = np.random.default_rng(0)
    dofs = [model.joint(joint).dofadr[0] for joint in robot.driven]
    heaviest = np.zeros(len(dofs))
    for _ in range(200):
        for joint in robot.driven:
            data.joint(joint).qpos = rng.uniform(*reach(robot, model, joint))
        mujoco.mj_forward(model, data)
        mujoco.mj_fullM(model, data, inertia)
        heaviest = np.maximum(heaviest, np.diag(inertia)[dofs])
    envelope = Envelope.of(robot)
    assert (envelope.braking <= envelope.servos.limit / heaviest).all()


def reach(robot, model, joint):
    """Return between which positions a joint can be: as robot.toml says, or its model's stops."""
    limits = robot.joints[joint].limits.position
    stops = model.joint(joint).range if model.joint(joint).limited else (-np.pi, np.pi)
    return stops if limits is None else limits


@pytest.mark.parametrize("name", ALL)
def test_a_robot_moves_in_bullet(name):
    robot = find_robot(name)
    with BulletSimulator(robot, 2) as simulator:
        env = RobotVectorEnv(robot, 2, simulator=simulator)
        env.reset(seed=0)
        for _ in range(20):
            observation, *_ = env.step(np.full(env.action_space.shape, 0.5))
            assert np.isfinite(observation).all()
        assert not simulator.diverged.any()


# the others are exported in tests/export
@pytest.mark.parametrize("name", sorted({*ALL} - {"pendulum", "hopper", "so101", "walker2d"}))
def test_a_robot_has_a_controller_that_does_what_torch_does(name, tmp_path):
    robot = find_robot(name)
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    torch.manual_seed(0)
    policy = Policy((task.nobs, 16, len(robot.driven)), "elu").eval()
    path = tmp_path / "controller.onnx"
    assert export(policy, robot, task, path, trained_on={}, origin={}) <= 1e-5
    assert path.is_file()


@pytest.mark.parametrize("name", ["ant", "half_cheetah", "so101", "reacher"])
def test_what_rests_on_something_stays_at_home(name):
    """Hopper and walker stand on a point, and fall; pendulums hang: all these need a policy."""
    robot = find_robot(name)
    env = RobotVectorEnv(robot, 2, randomized=False)
    env.reset()
    home = np.array([joint.home for joint in robot.joints.values()])
    zero = np.zeros_like(home)[None].repeat(2, 0)
    env.sim.reset(np.arange(2, dtype=np.int32), zero + home, zero, zero[:, : len(robot.driven)])
    for _ in range(round(robot.control_hz)):
        env.sim.step(env._resting[None].repeat(2, 0))
    assert np.abs(env.sim.velocity).max() < 0.1


def test_the_quadruped_is_the_a1_of_the_urdf():
    """Its own MJCF against the URDF that ships with PyBullet, made to float."""
    data = pytest.importorskip("pybullet_data")
    path = Path(data.getDataPath()) / "a1" / "a1.urdf"
    tree = ElementTree.fromstring(path.read_text())
    ElementTree.SubElement(tree, "link", name="world_link")
    joint = ElementTree.SubElement(tree, "joint", name="root", type="floating")
    ElementTree.SubElement(joint, "parent", link="world_link")
    ElementTree.SubElement(joint, "child", link="trunk")
    theirs = mujoco.MjSpec.from_string(ElementTree.tostring(tree, "unicode")).compile()
    ours = compile_model(find_robot("quadruped"))
    for name in [theirs.body(i).name for i in range(1, theirs.nbody)]:
        a, b = ours.body(name), theirs.body(name)
        np.testing.assert_allclose(a.mass, b.mass, rtol=1e-4)
        np.testing.assert_allclose(a.ipos, b.ipos, atol=1e-6)
        np.testing.assert_allclose(_inertia(a), _inertia(b), rtol=1e-3, atol=1e-7)
        if name != "trunk":
            np.testing.assert_allclose(a.pos, b.pos, atol=1e-9)
    for i in range(1, theirs.njnt):
        name = theirs.joint(i).name
        np.testing.assert_allclose(ours.joint(name).range, theirs.joint(i).range, atol=1e-5)
        np.testing.assert_array_equal(ours.joint(name).axis, theirs.joint(i).axis)


def _inertia(body):
    flat = np.empty(9)
    mujoco.mju_quat2Mat(flat, body.iquat)
    turn = flat.reshape(3, 3)
    return turn @ np.diag(body.inertia) @ turn.T
