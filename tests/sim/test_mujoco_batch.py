"""The batch does what one MjData does, on any number of threads, and notices a blow-up."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from sim2real.control import resting_command
from sim2real.errors import RobotError
from sim2real.robot import Joint, Limits
from sim2real.shipped import find_robot, robot_names
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulator import Simulator

ENGINES = [MujocoSimulator, BulletSimulator]
SERVO = Joint(
    mode="position",
    kp=50.0,
    kd=1.0,
    action_scale=1.0,
    limits=Limits(torque=100.0, velocity=100.0, position=(-10.0, 10.0)),
)
LEVER = """<option timestep="0.001" gravity="0 0 0" integrator="implicitfast"/><worldbody><body>
  <joint name="j" axis="0 0 1"/>
  <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="1"/></body></worldbody>"""


def start(simulator: Simulator, position: object = None) -> np.ndarray:
    """Return the resting command (nsim, ncommand) after a reset at home."""
    robot, n = simulator.robot, simulator.nsim
    home = np.tile([joint.home for joint in robot.joints.values()], (n, 1))
    rest = np.tile(resting_command(robot), (n, 1))
    q = home if position is None else np.broadcast_to(np.asarray(position, float), home.shape)
    simulator.reset(np.arange(n, dtype=np.int32), q, np.zeros_like(home), rest)
    return rest


@pytest.mark.parametrize("name", robot_names())
def test_two_threads_give_the_same_bits_as_one(name):
    rows = []
    for nthread in (1, 2):
        simulator = MujocoSimulator(find_robot(name), 8, nthread=nthread)
        simulator.fields.expand("dof_damping")[:] += 0.01 * np.arange(8)[:, None]
        rest = start(simulator)
        for step in range(50):
            simulator.step(rest + np.sin(0.3 * step + np.arange(8))[:, None])
        rows.append((simulator.position.copy(), simulator.velocity.copy()))
    np.testing.assert_array_equal(rows[0], rows[1])


@pytest.mark.parametrize("name", robot_names())
def test_batch_is_a_loop_over_mjdata(name):
    simulator = MujocoSimulator(find_robot(name), 2)
    rest = start(simulator)
    model = simulator.model
    data = mujoco.MjData(model)
    simulator.fields.get_data(1, data)
    for step in range(20):
        command = rest + 0.5 * np.sin(step)
        simulator.step(command)
        data.ctrl[:] = command[1]
        nstep = round(1.0 / (simulator.robot.control_hz * model.opt.timestep))
        mujoco.mj_step(model, data, nstep)
    ids = [model.joint(joint).id for joint in simulator.robot.joints]
    np.testing.assert_array_equal(simulator.position[1], data.qpos[model.jnt_qposadr[ids]])


@pytest.mark.parametrize("name", robot_names())
@pytest.mark.parametrize("engine", ENGINES)
def test_only_the_reset_simulations_start_anew(engine, name):
    simulator = engine(find_robot(name), 3)
    rest = start(simulator)
    for _ in range(5):
        simulator.step(rest + 0.5)
    before = simulator.position.copy()
    joints = simulator.robot.joints.values()
    home = np.array([[joint.home for joint in joints]])
    simulator.reset(np.array([1], np.int32), home, np.zeros_like(home), rest[:1])
    np.testing.assert_allclose(simulator.position[1], home[0], atol=1e-12)
    np.testing.assert_array_equal(simulator.position[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("engine", ENGINES)
def test_joints_stand_in_the_robots_order(make_robot, engine):
    mjcf = """<worldbody><body><joint name="a"/><geom size=".1"/><body><joint name="b"/>
      <geom size=".1"/></body></body></worldbody>"""
    robot = make_robot(mjcf, {"b": SERVO, "a": SERVO})
    simulator = engine(robot, 1)
    start(simulator, [[0.3, -0.2]])
    np.testing.assert_allclose(simulator.position, [[0.3, -0.2]])
    for _ in range(3):
        simulator.step(np.array([[0.8, -0.2]]))
    assert simulator.position[0, 0] > 0.31
    assert simulator.model.actuator(0).name == "b"


@pytest.mark.parametrize("engine", ENGINES)
def test_delayed_servo_gets_no_kick_at_the_start(make_robot, engine):
    """Its history holds the command before the start, not 0."""
    robot = make_robot(LEVER, {"j": SERVO})
    model = compile_model(robot, max_delay=0.05)
    model.actuator_delay[:] = 0.03
    simulator = engine(robot, 1, model=model)
    one = np.zeros(1, np.int32)
    simulator.reset(one, np.array([[0.7]]), np.zeros((1, 1)), np.array([[0.7]]))
    for _ in range(3):  # for 0.03 s, the new command has no effect
        simulator.step(np.array([[1.5]]))
        assert simulator.position[0, 0] == pytest.approx(0.7, abs=1e-12)
    simulator.step(np.array([[1.5]]))
    assert simulator.position[0, 0] > 0.7 + 1e-4


@pytest.mark.parametrize("name", robot_names())
@pytest.mark.parametrize("engine", ENGINES)
def test_nan_command_is_noticed_where_it_was_given(engine, name, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where MuJoCo writes its log
    simulator = engine(find_robot(name), 3)
    rest = start(simulator)
    simulator.step(rest)
    assert not simulator.diverged.any()
    command = rest.copy()
    command[1] = np.nan
    simulator.step(command)
    np.testing.assert_array_equal(simulator.diverged, [False, True, False])
    simulator.step(rest)
    assert not simulator.diverged.any()
    assert np.isfinite(simulator.position).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_impossible_start_is_noticed(engine, bad, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulator = engine(find_robot("pendulum"), 2)
    rest = start(simulator, [[0.1], [bad]])
    simulator.step(rest)
    np.testing.assert_array_equal(simulator.diverged, [False, True])
    start(simulator)
    simulator.step(rest)
    assert not simulator.diverged.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_blow_up_of_the_physics_is_noticed(make_robot, engine, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # a spring far too stiff for the time step
    unstable = LEVER.replace('axis="0 0 1"', 'axis="0 0 1" stiffness="1e8"')
    simulator = engine(make_robot(unstable, {"j": SERVO}), 2)
    rest = start(simulator, [[0.0], [0.1]])
    seen = np.zeros(2, bool)
    for _ in range(10):
        simulator.step(rest)
        seen |= simulator.diverged
    np.testing.assert_array_equal(seen, [False, True])


@pytest.mark.parametrize("engine", ENGINES)
def test_tip_is_the_site(engine):
    simulator = engine(find_robot("so101"), 2)
    start(simulator, [[0.0] * 6, [0.5, -0.4, 0.3, 0.2, 0.1, 0.0]])
    place, rotation = simulator.tip
    data = mujoco.MjData(simulator.model)
    data.qpos[:] = simulator.position[1]
    mujoco.mj_kinematics(simulator.model, data)
    np.testing.assert_allclose(place[1], data.site("tip").xpos, atol=1e-6)
    np.testing.assert_allclose(rotation[1].ravel(), data.site("tip").xmat, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_call_does_not_compute_is_not_another_simulations(engine):
    """Trap: a batch shares its scratch: a reset of some must leave the tips of the others."""
    simulator = engine(find_robot("so101"), 4)
    rest = start(simulator, np.linspace(-0.5, 0.5, 24).reshape(4, 6))
    _ = simulator.tip
    simulator.step(rest)
    before = simulator.tip[0].copy()
    some = np.array([1], np.int32)
    simulator.reset(some, np.full((1, 6), 0.3), np.zeros((1, 6)), rest[:1])
    after = simulator.tip[0]
    np.testing.assert_array_equal(after[[0, 2, 3]], before[[0, 2, 3]])
    data = mujoco.MjData(simulator.model)
    data.qpos[:] = 0.3
    mujoco.mj_kinematics(simulator.model, data)
    np.testing.assert_allclose(after[1], data.site("tip").xpos, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_robot_without_a_tip_says_so(engine):
    with pytest.raises(RobotError, match="has no tip"):
        _ = engine(find_robot("hopper"), 1).tip


def test_a_blow_up_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sim = MujocoSimulator(find_robot("hopper"), 2)
    sim.fields.bind("qvel")[:] = 1e12
    sim.step(np.zeros((2, 3)))
    assert sim.diverged.all()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_simulation_that_diverges_again_is_noticed_again(engine):
    """MuJoCo clears its warnings when it starts a simulation anew, and then counts one."""
    robot = find_robot("pendulum")
    sim, ids, still = engine(robot, 3), np.arange(3, dtype=np.int32), np.zeros((3, 1))
    sim.reset(ids, still, still, still)
    for restart in (False, True, True):
        sim.step(np.array([[0.0], [np.nan], [0.0]]))
        assert sim.diverged.tolist() == [False, True, False]
        if restart:
            sim.reset(ids[1:2], still[1:2], still[1:2], still[1:2])
        sim.step(still)
        assert not sim.diverged.any()
