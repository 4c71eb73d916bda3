"""What a term changes shows in the motion as the textbook says."""

import dataclasses

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.errors import ParameterError
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.randomization.parameters import ParameterSet
from sim2real.randomization.terms import contact
from sim2real.sim.mujoco_batch import MujocoSimulator

SLED = """<option timestep="0.001" cone="elliptic" impratio="20" integrator="implicitfast"/>
  <worldbody><geom name="floor" type="plane" size="50 50 1" friction="{floor}"/>
  <body name="b" pos="0 0 0.05">
  <joint name="x" type="slide" axis="1 0 0"/><joint name="j" type="slide" axis="0 0 1"/>
  <geom name="box" type="box" size="0.1 0.1 0.05" mass="1" friction="{box}"/></body></worldbody>"""
BALL = """<option timestep="0.0001" gravity="0 0 {g}"{air}/><worldbody>
  <geom name="floor" type="plane" size="5 5 1"/><body name="b" pos="0 0 1">
  <joint name="j" type="slide" axis="0 0 1"/><geom name="ball" type="sphere" size="0.05" mass="0.5"
  solref="0.02 1" solimp="0.95 0.95 0.001"/></body></worldbody>"""


@pytest.fixture
def sim(make_robot):
    def make(mjcf, nsim=2, **fields):
        robot = make_robot(mjcf, **fields)
        names = [name for name in ("x", "j") if f'joint name="{name}"' in mjcf]
        passive = dataclasses.replace(robot.joints["j"], mode="passive")
        joints = {name: robot.joints["j"] if name == "j" else passive for name in names}
        return MujocoSimulator(dataclasses.replace(robot, joints=joints), nsim)

    return make


def write(sim, **columns):
    names = [name.replace("__", ".") for name in columns]
    table = np.array(list(columns.values()), float).T
    everyone = np.arange(sim.nsim, dtype=np.int32)
    chosen = ParameterSet(sim.model, tuple(sim.robot.joints), names)
    chosen.write(sim, everyone, table)


def start(sim, position=0.0, velocity=0.0):
    shape = (sim.nsim, len(sim.robot.joints))
    everyone = np.arange(sim.nsim, dtype=np.int32)
    sim.reset(everyone, np.full(shape, position), np.full(shape, velocity), np.zeros((sim.nsim, 1)))


def run(sim, seconds, command=0.0):
    for _ in range(round(seconds * sim.robot.control_hz)):
        sim.step(np.full((sim.nsim, 1), command))


def test_a_moved_centre_of_mass_changes_the_pendulums_period_as_the_formula_says(sim):
    rod = """<option timestep="0.0005"/><worldbody><body name="b"><joint name="j" axis="0 1 0"/>
      <inertial pos="0 0 -0.5" mass="2" diaginertia="0.03 0.03 0.03"/></body></worldbody>"""
    world = sim(rod, nsim=3, control_hz=1000.0)
    depths = np.array([0.5, 0.8, 0.2])
    names = {"body__b__ipos[2]": -depths}
    write(world, **names)
    start(world, position=0.02)
    crossings, last = [[], [], []], world.position[:, 0].copy()
    for step in range(6000):
        world.step(np.zeros((3, 1)))
        now = world.position[:, 0]
        for i in np.flatnonzero((last > 0) & (now <= 0)):
            crossings[i].append(step + last[i] / (last[i] - now[i]))
        last = now.copy()
    periods = [np.diff(each).mean() / 1000 for each in crossings]
    # T = 2π √((I + m d²) / (m g d)), and 1 + θ²/16 for the amplitude
    expected = 2 * np.pi * np.sqrt((0.03 + 2 * depths**2) / (2 * 9.81 * depths))
    np.testing.assert_allclose(periods, expected * (1 + 0.02**2 / 16), rtol=1e-4)


def test_a_block_slides_when_the_slope_exceeds_the_angle_of_friction(sim):
    world = sim(SLED.format(floor=0.1, box=0.1), nsim=4)
    angle = np.arctan(0.5)
    write(world, **{
        "geom__box__friction[0]": np.full(4, 0.5),
        "opt__tilt[1]": -angle * np.array([0.9, 0.97, 1.05, 1.5]),
    })  # fmt: skip
    start(world)
    run(world, 1.0)
    slid = world.velocity[:, 0]
    assert np.abs(slid[:2]).max() < 0.02
    tilt = angle * np.array([1.05, 1.5])
    np.testing.assert_allclose(
        np.abs(slid[2:]), 9.81 * (np.sin(tilt) - 0.5 * np.cos(tilt)), rtol=0.05
    )


def test_friction_of_the_robot_below_the_floors_does_nothing_unless_it_decides(sim):
    """Trap: a contact takes the larger of both geoms' coefficients."""
    deciding = {"deciding_geoms": ("box",)}
    stopped = []
    for fields in ({}, deciding):
        world = sim(SLED.format(floor=1.0, box=0.3), **fields)
        write(world, **{"geom__box__friction[0]": np.array([0.2, 0.6])})
        start(world, velocity=1.0)
        world.fields.bind("qvel")[:, 1] = 0.0
        run(world, 0.1)
        stopped.append(1.0 - world.velocity[:, 0])
    np.testing.assert_allclose(stopped[0], 0.98, atol=0.03)
    np.testing.assert_allclose(stopped[1], [0.196, 0.589], atol=0.03)


@pytest.mark.parametrize(
    ("ranges", "refused"),
    [
        ({"geom.box.friction[0]": [0.2, 0.6]}, True),
        ({"geom.box.friction[0]": [0.9, 1.6]}, True),
        ({"geom.box.friction[0]": [1.0, 1.6]}, False),
        ({"geom.box.friction[0]": [0.2, 0.6], "geom.floor.friction[0]": [0.2, 0.6]}, False),
        ({"geom.floor.friction[0]": [0.2, 0.6]}, True),
        ({"geom.floor.friction[0]": [0.3, 0.6]}, False),
    ],
)
def test_a_range_of_friction_that_the_other_side_hides_is_refused(sim, ranges, refused):
    world = sim(SLED.format(floor=1.0, box=0.3))
    table = {name: Range.parse({"set": span}, name) for name, span in ranges.items()}
    if refused:
        with pytest.raises(ParameterError, match="deciding_geoms"):
            Randomizer(world, table, seed=0)
    else:
        Randomizer(world, table, seed=0)
    decided = sim(SLED.format(floor=1.0, box=0.3), deciding_geoms=("box",))
    moving = {name: item for name, item in table.items() if "box" in name}
    Randomizer(decided, moving, seed=0)


def test_torsional_friction_is_refused_where_contacts_have_none(sim):
    with pytest.raises(ParameterError, match="condim"):
        write(sim(SLED.format(floor=1.0, box=0.3)), **{"geom__box__friction[1]": np.ones(2)})


def test_letting_a_geom_decide_changes_nothing_by_itself(sim):
    ends = []
    for fields in ({}, {"deciding_geoms": ("box",)}):
        world = sim(SLED.format(floor=0.4, box=0.2), **fields)
        start(world, velocity=1.0)
        world.fields.bind("qvel")[:, 1] = 0.0
        run(world, 0.3)
        ends.append(world.position.copy())
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("wanted", [0.05, 0.3, 0.6, 0.9])
def test_a_ball_bounces_as_high_as_its_coefficient_of_restitution_says(sim, wanted):
    world = sim(BALL.format(g=-9.81, air=""), deciding_geoms=("ball",))
    world.model.geom_margin[:] = 0.0
    # soft enough for many steps in a contact, and stiff enough for gravity not to matter
    write(world, geom__ball__restitution=[wanted, 0.5 * wanted + 0.4])
    start(world, position=-0.9, velocity=-2.0)
    fastest = np.zeros(2)
    for _ in range(40):
        world.step(np.zeros((2, 1)))
        fastest = np.maximum(fastest, world.velocity[:, 0])
    impact = np.sqrt(4.0 + 2 * 9.81 * 0.05)
    np.testing.assert_allclose(fastest / impact, [wanted, 0.5 * wanted + 0.4], atol=0.025)


@settings(deadline=None)
@given(st.floats(0.005, 0.995))
def test_the_damping_ratio_of_a_restitution_gives_it_back(restitution):
    ratio = contact.damping_ratio_of(np.array(restitution))
    assert contact.restitution_of(ratio) == pytest.approx(restitution, abs=1e-5)


@pytest.mark.parametrize("ratio", [0.01, 0.3, 0.75, 1.0, 1.0 + 1e-9, 3.0])
def test_the_formula_of_restitution_is_the_impact_integrated(ratio):
    # x'' = -2 ζ x' - x from x' = -1, until the force -2 ζ x' - x stops pushing
    x, v, dt = 0.0, -1.0, 1e-5
    for _ in range(10_000_000):
        push = -2 * ratio * v - x
        if push <= 0.0:
            break
        v += push * dt
        x += v * dt
    assert contact.restitution_of(np.array(ratio)) == pytest.approx(v, abs=2e-3)


def test_restitution_needs_a_geom_that_decides(sim):
    with pytest.raises(ParameterError, match="deciding_geoms"):
        write(sim(BALL.format(g=-9.81, air="")), geom__ball__restitution=[0.5, 0.5])


def test_restitution_and_damping_ratio_of_one_geom_exclude_each_other(sim):
    names = {"geom__ball__restitution": [0.5, 0.5], "geom__ball__solref[1]": [0.5, 0.5]}
    with pytest.raises(ParameterError, match="leave one out"):
        write(sim(BALL.format(g=-9.81, air=""), deciding_geoms=("ball",)), **names)


def test_damping_sets_the_terminal_velocity(sim):
    world = sim(BALL.format(g=-9.81, air=""))
    world.fields.expand("geom_contype")[:] = 0
    write(world, joint__j__damping=[2.0, 4.0])
    start(world)
    run(world, 3.0)
    np.testing.assert_allclose(world.velocity[:, 0], [-0.5 * 9.81 / 2, -0.5 * 9.81 / 4], rtol=1e-4)


def test_viscosity_sets_the_terminal_velocity_by_stokes_law(sim):
    world = sim(BALL.format(g=-9.81, air=' viscosity="1"'))
    world.fields.expand("geom_contype")[:] = 0
    write(world, opt__viscosity=[5.0, 10.0])
    start(world)
    run(world, 6.0)
    # MuJoCo's box of equal inertia has the mean edge D: force 3 π D β v ("Fluid forces")
    edge = np.sqrt(6 * 0.4 * 0.05**2)
    expected = -0.5 * 9.81 / (3 * np.pi * edge * np.array([5.0, 10.0]))
    np.testing.assert_allclose(world.velocity[:, 0], expected, rtol=1e-3)


def test_wind_carries_what_has_no_weight(sim):
    world = sim(BALL.format(g=0, air=' viscosity="10"'))
    write(world, **{"opt__wind[2]": np.array([1.0, -2.0])})
    start(world)
    world.fields.expand("geom_contype")[:] = 0
    run(world, 3.0)
    np.testing.assert_allclose(world.velocity[:, 0], [1.0, -2.0], rtol=1e-3)


def test_a_compensated_weight_does_not_fall(sim):
    """Trap: without set_const, MuJoCo skips compensation where the model had none."""
    world = sim(BALL.format(g=-9.81, air=""))
    write(world, body__b__gravcomp=[1.0, 0.5])
    start(world)
    run(world, 0.1)
    np.testing.assert_allclose(world.velocity[:, 0], [0.0, -0.4905], atol=1e-9)


def test_a_tilted_gravity_is_as_strong_as_before(sim):
    world = sim(BALL.format(g=-9.81, air=""))
    write(world, **{"opt__tilt[0]": np.array([0.0, np.pi / 2])})
    np.testing.assert_allclose(
        world.fields.expand("opt.gravity"), [[0, 0, -9.81], [0, 9.81, 0]], atol=1e-12
    )


def test_a_rest_position_is_where_the_spring_rests(sim):
    spring = """<option gravity="0 0 0"/><worldbody><body name="b"><joint name="j" axis="0 1 0"
      stiffness="20" damping="2"/><geom size="0.1"/></body></worldbody>"""
    world = sim(spring)
    write(world, joint__j__springref=[0.3, -0.2])
    start(world)
    run(world, 3.0)
    np.testing.assert_allclose(world.position[:, 0], [0.3, -0.2], atol=1e-6)


def test_a_frequency_scale_keeps_the_damping_ratio_and_kp_does_not(leg):
    world = MujocoSimulator(leg(), 3)
    names = {"actuator__knee__frequency_scale": [1.0, 2.0, 1.0]}
    write(world, **names, actuator__knee__kp=[20.0, 20.0, 80.0])
    knee = world.model.actuator("knee").id
    kp = world.fields.expand("actuator_gainprm")[:, knee, 0]
    kd = -world.fields.expand("actuator_biasprm")[:, knee, 2]
    np.testing.assert_allclose(kp, [20.0, 80.0, 80.0])
    np.testing.assert_allclose(kd / np.sqrt(kp) / (0.5 / np.sqrt(20.0)), [1.0, 1.0, 0.5])


def test_an_actuator_without_strength_is_broken(leg):
    world = MujocoSimulator(leg(), 1)
    write(world, actuator__knee__strength=[0.0])
    start(world)
    world.fields.bind("actuator_force")
    world.fields.ctrl = 1.0
    world.fields.forward()
    assert world.fields.bind("actuator_force")[0, world.model.actuator("knee").id] == 0.0


def test_a_turned_imu_measures_gravity_turned(leg):
    world = MujocoSimulator(leg(), 1)
    write(world, **{"site__imu__rotation[0]": np.array([0.1])})
    start(world)
    world.fields.bind("site_xmat")
    world.fields.forward()
    up = world.fields.bind("site_xmat")[0, world.model.site("imu").id].reshape(3, 3)[2]
    np.testing.assert_allclose(up, [0.0, np.sin(0.1), np.cos(0.1)], atol=1e-12)


def test_two_parameters_that_set_the_same_number_are_refused(leg):
    world = MujocoSimulator(leg(), 1)
    with pytest.raises(ParameterError, match="set the same body_pos"):
        write(world, body__thigh__length=[0.25], **{"body__shank__pos[2]": np.array([-0.25])})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("geom.floor.size[0]", "only a sphere"),
        ("geom.foot.size[1]", "has 1 sizes"),
        ("geom.foot.tile[0]", "no terrain"),
        ("joint.knee.range[0]", "no limits"),
        ("body.foot.length", "no length"),
        ("body.world.gravcomp", "fixed to the world"),
        ("actuator.hip.frequency_scale", "only a joint in position mode"),
    ],
)
def test_a_parameter_that_the_element_has_not_is_refused_with_the_reason(leg, name, says):
    world = MujocoSimulator(leg(), 1)
    with pytest.raises(ParameterError, match=says):
        ParameterSet(world.model, tuple(world.robot.joints), [name])


def test_lower_and_upper_limits_cannot_cross(leg):
    world = MujocoSimulator(leg(), 1)
    with pytest.raises(ParameterError, match="impossible"):
        write(world, **{"joint__hip__range[0]": np.array([0.1])})


def test_a_free_box_follows_its_centre_of_mass(make_robot):
    """Trap: a body that MuJoCo compiles as "simple" refuses, or ignores, a moved centre of mass."""
    free = """<worldbody><body name="b"><joint name="j" type="slide" axis="0 0 1"/>
      <joint name="spin" axis="0 1 0"/><geom type="box" size="0.1 0.1 0.1" mass="1"/></body>
      </worldbody>"""
    joint = make_robot(free).joints["j"]
    robot = make_robot(free, {"j": joint, "spin": dataclasses.replace(joint, mode="passive")})
    assert mujoco.MjModel.from_xml_path(str(robot.model_path)).body_simple[1] != 0
    world = MujocoSimulator(robot, 2)
    write(world, **{"body__b__ipos[0]": np.array([0.0, 0.05])})
    start(world)
    run(world, 0.1, command=9.81)
    np.testing.assert_allclose(world.velocity[0], 0.0, atol=1e-9)
    assert abs(world.velocity[1, 1]) > 0.1
