"""PyBullet does what MuJoCo does, as far as two engines can agree."""

import gc
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from sim2real.control import resting_command
from sim2real.errors import MissingExtraError
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Joint, Limits
from sim2real.shipped import find_robot, robot_names
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.bullet.world import World
from sim2real.sim.model import compile_model

LIMITS = Limits(torque=100.0, velocity=100.0, position=(-10.0, 10.0))
MOTOR = Joint(mode="torque", limits=LIMITS)
PASSIVE = Joint(mode="passive")
ONE = np.zeros(1, np.int32)

TWO_LINKS = """
<option timestep="0.001" integrator="implicitfast"/>
<worldbody><body pos="0 0 1">
  <joint name="a" axis="0 1 0"/>
  <geom type="capsule" fromto="0 0 0 0 0 -0.4" size="0.02" mass="0.8" contype="0" conaffinity="0"/>
  <body pos="0 0 -0.4">
    <joint name="b" axis="0 1 0"/>
    <geom type="capsule" fromto="0 0 0 0.05 0 -0.3" size="0.02" mass="0.5" contype="0"
          conaffinity="0"/>
    <site name="tip" pos="0.05 0 -0.3" euler="10 20 30"/>
  </body></body></worldbody>"""

ARM = """
<option timestep="0.001" integrator="implicitfast"/>
<worldbody><body pos="0 0 1" euler="20 0 10">
  <joint name="a" axis="0 0.6 0.8" {a}/>
  <inertial pos="0.02 0.01 -0.2" mass="0.8" fullinertia="0.02 0.018 0.004 0.001 -0.002 0.0005"/>
  <body pos="0.03 0 -0.4" euler="0 30 40">
    <joint name="b" axis="0 1 0" pos="0.01 0.02 0" {b}/>
    <joint name="c" axis="1 0 0" pos="0 0 0.03" {b}/>
    <inertial pos="0.05 0 -0.15" mass="0.5" fullinertia="0.01 0.012 0.003 0.0004 0 0.001"/>
  </body></body></worldbody>"""


def servo(kp, kd, torque=100.0):
    limits = Limits(torque=torque, velocity=100.0, position=(-10.0, 10.0))
    return Joint(mode="position", kp=kp, kd=kd, action_scale=1.0, limits=limits)


def sway(step):
    return 0.6 * np.sin(0.05 * step)


def disagreement(pair, command, steps):
    mujoco_rows, bullet_rows = pair.play(command, steps)
    return np.abs(mujoco_rows - bullet_rows).max()


def test_frictionless_two_link_pendulum_agrees_with_mujoco(make_robot, both):
    robot = make_robot(TWO_LINKS, {"a": MOTOR, "b": MOTOR}, control_hz=1000.0, tip="tip")
    pair = both(robot)
    pair.reset([1.2, 0.5], [0.5, -1.0])
    assert disagreement(pair, lambda step: 0.0, 3000) < 1e-6
    for mine, theirs in zip(pair.bullet.tip, pair.mujoco.tip, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_a_moved_site_moves_the_tip_in_both_engines(make_robot, both):
    robot = make_robot(TWO_LINKS, {"a": MOTOR, "b": MOTOR}, control_hz=1000.0, tip="tip")
    pair = both(robot)
    names = ("site.tip.pos[0]", "site.tip.rotation[2]")
    before = pair.bullet.tip[0].copy()
    for simulator in (pair.mujoco, pair.bullet):
        parameters = ParameterSet(simulator.model, ("a", "b"), names)
        parameters.write(simulator, ONE, np.array([[0.15, 0.3]]))
    pair.reset([0.4, 0.2])
    pair.play(lambda step: 0.0, 1)
    assert np.linalg.norm(pair.bullet.tip[0] - before) > 0.05
    for mine, theirs in zip(pair.bullet.tip, pair.mujoco.tip, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_energy_of_frictionless_pendulum_stays(make_robot):
    robot = make_robot(TWO_LINKS, {"a": MOTOR, "b": MOTOR}, control_hz=100.0)
    data = mujoco.MjData(model := compile_model(robot))
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY.value

    def energy():
        data.qpos[:], data.qvel[:] = simulator.position[0], simulator.velocity[0]
        mujoco.mj_forward(model, data)
        return data.energy.sum()

    with BulletSimulator(robot, 1) as simulator:
        simulator.reset(ONE, np.array([[1.2, 0.5]]), np.zeros((1, 2)), np.zeros((1, 2)))
        start, seen = energy(), []
        for _ in range(300):
            simulator.step(np.zeros((1, 2)))
            seen.append(energy())
    scale = 9.81 * (0.8 * 0.2 + 0.5 * 0.7)
    assert np.abs(np.array(seen) - start).max() < 0.02 * scale


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("", ""),
        ('damping="0.2"', 'damping="0.5"'),
        ('armature="0.3"', 'armature="0.05"'),
        ('stiffness="8" springref="0.3"', 'stiffness="4"'),
        ('ref="0.4"', 'ref="-0.7"'),
        ('actuatorfrcrange="-0.2 0.2"', ""),
        ('damping="0.2" armature="0.1" ref="0.3"', 'stiffness="1" armature="0.2" damping="1"'),
    ],
    ids=["bare", "damping", "armature", "spring", "ref", "actuatorfrcrange", "all"],
)
def test_joint_property_acts_as_in_mujoco(make_robot, both, a, b):
    """Rotated inertias, offset anchors and two joints on a body come along."""
    joints = {"a": MOTOR, "b": MOTOR, "c": PASSIVE}
    pair = both(make_robot(ARM.format(a=a, b=b), joints))
    pair.reset([0.5, 0.3, -0.2], [0.5, -0.5, 1.0])
    assert disagreement(pair, sway, 100) < 1e-6


def test_position_servo_acts_as_in_mujoco(make_robot, both):
    joints = {"a": servo(30.0, 2.0), "b": servo(10.0, 0.5), "c": servo(10.0, 0.5)}
    pair = both(make_robot(ARM.format(a="", b='armature="0.01"'), joints))
    pair.reset([0.2, -0.2, 0.1])
    assert disagreement(pair, sway, 200) < 1e-6


def test_saturated_servo_acts_as_in_mujoco(make_robot, both):
    """A servo at its torque limit does not damp, in neither engine."""
    joints = {"a": servo(80.0, 4.0, torque=3.0), "b": servo(10.0, 0.5), "c": PASSIVE}
    pair = both(make_robot(ARM.format(a="", b='armature="0.01" damping="0.1"'), joints))
    pair.reset([0.2, -0.2, 0.1])
    mujoco_rows, bullet_rows = pair.play(lambda step: [1.5, 0.0], 100)
    # MuJoCo leaves out the damping of a servo exactly at its limit, which is a matter of rounding
    np.testing.assert_allclose(mujoco_rows, bullet_rows, atol=1e-3)


@pytest.mark.parametrize("delay", [0.0004, 0.001, 0.01, 0.0137, 0.02])
def test_delay_acts_as_in_mujoco(make_robot, both, delay):
    robot = make_robot(TWO_LINKS, {"a": MOTOR, "b": servo(5.0, 0.1)})
    model = compile_model(robot, max_delay=0.02)
    model.actuator_delay[:] = delay
    pair = both(robot, model)
    pair.reset([0.3, 0.1], command=[0.2, 0.4])
    assert disagreement(pair, lambda step: [np.sin(step), np.cos(step)], 100) < 1e-6


def test_frictionloss_brakes_as_in_mujoco(make_robot, both):
    a = 'frictionloss="0.3"'
    pair = both(make_robot(ARM.format(a=a, b=a), {"a": MOTOR, "b": PASSIVE, "c": PASSIVE}))
    pair.reset([0.5, 0.3, -0.2], [3.0, -3.0, 3.0])
    assert disagreement(pair, lambda step: 0.0, 15) < 2e-3


def test_frictionloss_holds_a_joint(make_robot, both):
    pair = both(make_robot(TWO_LINKS.replace('name="a"', 'name="a" frictionloss="1.5"')
                           .replace('name="b"', 'name="b" frictionloss="0.5"'),
                           {"a": MOTOR, "b": MOTOR}))  # fmt: skip
    pair.reset([0.2, 0.1])
    _, bullet_rows = pair.play(lambda step: 0.0, 100)
    np.testing.assert_allclose(bullet_rows, [[0.2, 0.1]] * 100, atol=1e-9)


def test_joint_rests_at_its_limit(make_robot, both):
    limited = TWO_LINKS.replace('name="a"', 'name="a" range="-20 17" ref="-5" damping="0.5"')
    limited = limited.replace('name="b"', 'name="b" damping="0.2"')
    pair = both(make_robot(limited, {"a": MOTOR, "b": MOTOR}))
    pair.reset(0.0)
    mujoco_rows, bullet_rows = pair.play(lambda step: [50.0, 0.0], 200)
    assert abs(bullet_rows[-1, 0] - np.radians(17)) < 0.002
    np.testing.assert_allclose(mujoco_rows[-1], bullet_rows[-1], atol=0.02)


def test_prismatic_joints_carry_armature_and_ref(make_robot, both):
    mjcf = """<option timestep="0.001"/><worldbody><body pos="0 0 0.5">
      <joint name="x" type="slide" axis="1 0 0" pos="1 2 3" armature="0.5"/>
      <joint name="z" type="slide" axis="0 0 1" ref="0.5" damping="2" armature="1"/>
      <joint name="turn" type="hinge" axis="0 1 0" pos="0.1 0 0.2"/>
      <geom type="box" size="0.1 0.2 0.05" pos="0.05 0 0" mass="2"/></body></worldbody>"""
    pair = both(make_robot(mjcf, {"x": MOTOR, "z": MOTOR, "turn": PASSIVE}))
    pair.reset([0.1, 0.6, 0.4], [1.0, 0.0, 2.0])
    assert disagreement(pair, lambda step: [3.0 * sway(step), 20.0], 100) < 1e-6


def test_same_robot_at_other_numbers_takes_them_at_reset(make_robot):
    """The same as a model compiled with them."""
    robot = make_robot(ARM.format(a="", b=""), {"a": MOTOR, "b": MOTOR, "c": PASSIVE})
    position, still = np.array([[0.5, 0.3, -0.2]]), np.zeros((1, 3))
    changed = compile_model(robot)
    changed.body_mass[2] *= 1.5
    changed.dof_damping[:] = 0.2
    changed.opt.gravity[:] = [0.0, 1.0, -5.0]
    with (
        BulletSimulator(robot, 2) as fields,
        BulletSimulator(robot, 1, model=changed) as compiled,
        BulletSimulator(robot, 1) as nominal,
    ):
        fields.fields.expand("body_mass")[1, 2] *= 1.5
        fields.fields.expand("dof_damping")[1] = 0.2
        fields.fields.expand("opt.gravity")[1] = [0.0, 1.0, -5.0]
        fields.fields.set_const()
        both_rows = np.arange(2, dtype=np.int32)
        fields.reset(both_rows, position.repeat(2, 0), still.repeat(2, 0), np.zeros((2, 2)))
        for simulator in (compiled, nominal):
            simulator.reset(ONE, position, still, np.zeros((1, 2)))
        for _ in range(50):
            for simulator in (fields, compiled, nominal):
                simulator.step(np.zeros((simulator.nsim, 2)))
        assert np.array_equal(fields.position[0], nominal.position[0])
        assert np.array_equal(fields.position[1], compiled.position[0])


@pytest.mark.parametrize("name", robot_names())
def test_reset_forgets_the_past(name):
    """The same episode twice is the same, bit for bit, after contacts and delays."""
    robot = find_robot(name)
    home = np.array([[joint.home for joint in robot.joints.values()]])
    rest = resting_command(robot)[None]
    runs = []
    with BulletSimulator(robot, 1) as simulator:
        for _ in range(2):
            simulator.reset(ONE, home, np.zeros_like(home), rest)
            for step in range(60):
                simulator.step(rest + 0.3 * np.sin(step))
            runs.append(simulator.position.copy())
    np.testing.assert_array_equal(*runs)


def test_pendulum_hangs_still_in_both_engines(both):
    pair = both(find_robot("pendulum"))
    pair.reset(0.0)
    for rows in pair.play(lambda step: 0.0, 100):
        np.testing.assert_allclose(rows, 0.0, atol=1e-9)


def test_so101_rests_at_home_under_its_servos_in_both_engines(both):
    robot = find_robot("so101")
    pair = both(robot)
    pair.reset(0.0, command=0.0)
    mujoco_rows, bullet_rows = pair.play(lambda step: 0.0, 100)
    for rows, simulator in ((mujoco_rows, pair.mujoco), (bullet_rows, pair.bullet)):
        assert np.abs(rows[-1]).max() < 0.05
        assert np.abs(simulator.velocity).max() < 1e-3
    np.testing.assert_allclose(mujoco_rows, bullet_rows, atol=1e-3)


def test_so101_follows_its_commands_alike_in_both_engines(both):
    pair = both(find_robot("so101"))
    pair.reset(0.0)
    assert disagreement(pair, lambda step: 0.5 * np.sin(0.1 * step), 150) < 5e-3


def test_hopper_comes_to_rest_on_the_floor_in_both_engines(both):
    """Without torque it falls over; then it lies on the floor and neither slides nor sinks."""
    robot = find_robot("hopper")
    pair = both(robot)
    pair.reset([joint.home for joint in robot.joints.values()])
    mujoco_rows, bullet_rows = pair.play(lambda step: 0.0, 1500)
    for rows, simulator in ((mujoco_rows, pair.mujoco), (bullet_rows, pair.bullet)):
        assert np.isfinite(rows).all()
        assert np.ptp(rows[-250:], axis=0).max() < 0.02
        model, data = simulator.model, mujoco.MjData(simulator.model)
        data.qpos[:] = rows[-1]
        mujoco.mj_forward(model, data)
        assert min((contact.dist for contact in data.contact), default=0.0) > -0.01


SCRIPT = """
import numpy as np
from sim2real.shipped import find_robot
from sim2real.sim.bullet.simulator import BulletSimulator
with BulletSimulator(find_robot("hopper"), 2) as simulator:
    simulator.step(np.zeros((2, 3)))
    simulator.step(np.full((2, 3), np.nan))
"""


def test_nothing_is_printed():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""


def test_closed_or_forgotten_simulator_frees_its_clients():
    simulators = [BulletSimulator(find_robot("pendulum"), 2) for _ in range(2)]
    worlds = [world.close for simulator in simulators for world in simulator._worlds]
    assert all(world.alive for world in worlds)
    simulators[0].close()
    simulators[0].close()
    assert [world.alive for world in worlds] == [False, False, True, True]
    del simulators
    gc.collect()
    assert not any(world.alive for world in worlds)


def test_unchanged_reset_builds_nothing(monkeypatch):
    robot = find_robot("pendulum")
    built = []
    build = World.build
    monkeypatch.setattr(World, "build", lambda *a, **k: (built.append(1), build(*a, **k)))
    with BulletSimulator(robot, 2) as simulator:
        ids, still = np.arange(2, dtype=np.int32), np.zeros((2, 1))
        simulator.reset(ids, still, still, still)
        assert len(built) == 2
        simulator.fields.expand("dof_damping")[1] = 0.3
        simulator.reset(ids, still, still, still)
        assert len(built) == 3


def test_without_pybullet_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pybullet", None)
    with pytest.raises(MissingExtraError, match=r"sim2real\[bullet\]"):
        BulletSimulator(find_robot("pendulum"), 1)
