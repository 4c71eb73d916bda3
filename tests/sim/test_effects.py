"""What commands, drives, friction and pushes do to carts whose motion has a closed form."""

import dataclasses

import numpy as np
import pytest

from sim2real.robot import Joint, Limits
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.clock import Clock
from sim2real.sim.commands import CommandPath
from sim2real.sim.friction import stribeck
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.pushes import Pushes, direction, overlap
from sim2real.sim.servos import dead_zone, moved_play, torque_share, warmed

ENGINES = [MujocoSimulator, BulletSimulator]
MASS, DT, LIMIT, SPEED = 2.0, 0.001, 10.0, 5.0
LIMITS = Limits(torque=LIMIT, velocity=SPEED, position=(-10.0, 10.0))
MOTOR = Joint(mode="torque", limits=LIMITS)
SERVO = Joint(mode="position", kp=50.0, kd=20.0, action_scale=1.0, limits=LIMITS)
OPTION = f'<option timestep="{DT}" gravity="0 0 0" integrator="implicitfast"/>'
CART = """<body name="cart{i}" pos="0 {i} 0"><joint name="rail{i}" type="slide" axis="1 0 0"
  {joint}/><geom type="sphere" size=".1" mass="2" contype="0" conaffinity="0"/></body>"""
PUCK = """<body name="puck"><joint name="x" type="slide" axis="1 0 0"/>
  <joint name="y" type="slide" axis="0 1 0"/><joint name="z" type="slide" axis="0 0 1"/>
  <geom type="sphere" size=".1" mass="2" contype="0" conaffinity="0"/></body>"""


@pytest.fixture
def carts(make_robot):
    """Return a simulator of carts on rails side by side, with one control step a physics step."""
    made = []

    def make(engine, kind=MOTOR, *, count=1, nsim=1, joint="", hz=1000.0, max_delay=0.0):
        bodies = "".join(CART.format(i=i, joint=joint) for i in range(count))
        joints = {f"rail{i}": kind for i in range(count)}
        robot = make_robot(f"{OPTION}<worldbody>{bodies}</worldbody>", joints, control_hz=hz)
        made.append(engine(robot, nsim, model=compile_model(robot, max_delay)))
        return made[-1]

    yield make
    for simulator in made:
        if isinstance(simulator, BulletSimulator):
            simulator.close()


@pytest.fixture
def puck(make_robot):
    """Return a free body in space, with a control step of ten physics steps."""

    def make(engine, nsim=1):
        joints = {"x": MOTOR, "y": Joint(mode="passive"), "z": Joint(mode="passive")}
        return engine(make_robot(f"{OPTION}<worldbody>{PUCK}</worldbody>", joints), nsim)

    return make


def reset(simulator, velocity=0.0, command=0.0):
    zero = np.zeros((simulator.nsim, len(simulator.robot.joints)))
    rest = np.full((simulator.nsim, simulator.model.nu), command)
    simulator.effects.clock.begin(simulator.effects.clock.episode + 1)
    simulator.reset(np.arange(simulator.nsim, dtype=np.int32), zero, zero + velocity, rest)


def play(simulator, command, steps):
    """Return velocities (steps, nsim, njoint) after each step of a constant command."""
    commands = np.broadcast_to(np.asarray(command, float), (simulator.nsim, simulator.model.nu))
    rows = []
    for _ in range(steps):
        simulator.step(commands.copy())
        rows.append(simulator.velocity.copy())
    return np.array(rows)


def forces(velocity, start=0.0):
    """Return what has acted on a cart in each step (steps,)."""
    return np.diff(velocity[:, 0, 0], prepend=start) * MASS / DT


def servo(simulator, **parameters):
    for name, value in parameters.items():
        simulator.effects.servos.parameters.expand(name)[...] = value


@pytest.mark.parametrize("engine", ENGINES)
def test_a_jittering_command_arrives_between_its_earliest_and_its_latest(carts, engine):
    simulator = carts(engine, nsim=8, max_delay=0.05)
    simulator.fields.expand("actuator_delay")[...] = 0.02
    simulator.effects.commands.parameters.expand("delay_jitter")[...] = 0.03
    reset(simulator)
    moving = play(simulator, 1.0, 60)[:, :, 0] > 0.0
    arrived = np.argmax(moving, axis=0)
    assert moving[-1].all()
    assert ((arrived >= 20) & (arrived <= 50)).all()
    assert len(np.unique(arrived)) > 3
    np.testing.assert_array_equal(simulator.fields.expand("actuator_delay"), np.full((8, 1), 0.02))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lost_command_leaves_the_last_one_at_work(carts, engine):
    simulator = carts(engine)
    simulator.effects.commands.parameters.expand("dropout")[...] = 1.0
    reset(simulator, command=3.0)
    np.testing.assert_allclose(forces(play(simulator, -5.0, 20)), 3.0, rtol=1e-6)


def test_commands_are_lost_as_often_as_said():
    path, clock = CommandPath(1, 2), Clock(1, 50.0)
    path.parameters.expand("dropout")[...] = [[0.2, 0.0]]
    path.reset(np.arange(1), np.zeros((1, 2)))
    last, lost = np.zeros(2), 0
    for step in range(1, 2001):
        clock.step[:] = step
        arrived = path.send(np.full((1, 2), float(step)), clock)[0]
        assert arrived[0] in (last[0], step)
        assert arrived[1] == step
        lost += arrived[0] != step
        last = arrived.copy()
    assert lost / 2000 == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_broken_drive_gives_no_torque_from_its_time_on(carts, engine):
    simulator = carts(engine)
    servo(simulator, failure_time=0.03)
    reset(simulator)
    force = forces(play(simulator, 4.0, 60))
    np.testing.assert_allclose(force[:30], 4.0, rtol=1e-6)
    np.testing.assert_allclose(force[30:], 0.0, atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_servo_ignores_errors_within_its_deadband_and_stops_at_its_edge(carts, engine):
    simulator = carts(engine, SERVO)
    servo(simulator, deadband=0.02)
    reset(simulator)
    play(simulator, 0.0199, 200)
    np.testing.assert_array_equal(simulator.position, 0.0)
    play(simulator, 0.1, 4000)
    np.testing.assert_allclose(simulator.position, 0.08, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_servo_holds_where_its_encoder_changes_to_its_command(carts, engine):
    simulator = carts(engine, SERVO)
    servo(simulator, encoder_resolution=0.1)
    reset(simulator)
    play(simulator, 0.24, 3000)  # it sees 0.2 below 0.25 and 0.3 above
    np.testing.assert_allclose(simulator.position, 0.25, atol=2e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_motor_crosses_its_play_before_the_joint_feels_a_reversal(carts, engine):
    simulator = carts(engine)
    servo(simulator, backlash=0.1)
    reset(simulator)
    crossing = 0.1 / SPEED / DT  # steps
    first = forces(play(simulator, 0.5, 40))
    assert np.argmax(first > 0.25) == pytest.approx(crossing / 2, abs=1)  # from the middle
    speed = simulator.velocity[0, 0]
    back = forces(play(simulator, -0.5, 60), speed)
    assert np.argmax(back < -0.25) == pytest.approx(crossing, abs=2)
    np.testing.assert_allclose(back[:18], 0.0, atol=1e-6)
    np.testing.assert_allclose(back[25:], -0.5, rtol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_joint_turns_freely_within_its_play(carts, engine):
    simulator = carts(engine, SERVO)
    servo(simulator, backlash=1.0)
    reset(simulator, velocity=0.5)
    assert play(simulator, 0.0, 1)[0, 0, 0] == pytest.approx(0.5)


def test_play_ends_at_its_ends_and_a_joint_drags_its_motor_along():
    at = {"speed": np.ones(1), "rate": np.zeros(1), "dt": 0.01}
    assert moved_play(np.array([0.049]), np.array([0.1]), np.array([2.0]), **at)[0] == 0.05
    still = moved_play(np.array([0.03]), np.array([0.1]), np.zeros(1), **at)
    assert still[0] == 0.03
    dragged = moved_play(np.zeros(1), np.array([0.1]), np.zeros(1), **at | {"rate": np.full(1, 99)})
    assert dragged[0] == -0.05


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sticking_joint_holds_below_breakaway_and_slides_above(carts, engine):
    simulator = carts(engine, joint='frictionloss="1" solimpfriction="0.999 0.9999 0.001"')
    stiction = simulator.effects.friction.parameters
    stiction.expand("stiction")[...] = 0.5
    stiction.expand("stribeck_velocity")[...] = 0.05
    reset(simulator)
    assert np.abs(play(simulator, 1.4, 500)).max() < 2e-3
    assert play(simulator, 1.6, 500)[-1, 0, 0] > 0.03
    reset(simulator, velocity=1.0)  # what moves goes on with what could not start it
    force = forces(play(simulator, 1.2, 50), 1.0)
    np.testing.assert_allclose(force, 0.2, atol=0.02)
    assert simulator.fields.expand("dof_frictionloss")[0, 0] == 1.0


def test_friction_falls_from_breakaway_to_coulomb_over_the_stribeck_velocity():
    velocity = np.array([0.0, 0.1, -0.1, 1e3])
    friction = stribeck(np.full(4, 1.0), np.full(4, 0.5), np.full(4, 0.1), velocity)
    np.testing.assert_allclose(friction, [1.5, 1 + 0.5 / np.e, 1 + 0.5 / np.e, 1.0])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_torque_limit_falls_with_heat_as_the_closed_form_says_and_recovers(carts, engine):
    simulator = carts(engine)
    servo(simulator, thermal_fade=0.4, thermal_time=0.5)
    reset(simulator)
    play(simulator, 0.5 * LIMIT, 800)
    heat = 0.25 * (1 - np.exp(-0.8 / 0.5))  # a quarter of full torque's copper loss
    start = simulator.velocity[0, 0]
    force = forces(play(simulator, LIMIT, 1), start)
    np.testing.assert_allclose(force, LIMIT * (1 - 0.4 * heat), rtol=1e-3)
    heat = simulator.effects.servos.memory["heat"][0, 0]
    play(simulator, 0.0, 500)
    assert simulator.effects.servos.memory["heat"][0, 0] == pytest.approx(heat / np.e)
    reset(simulator)
    assert forces(play(simulator, LIMIT, 1))[0] == pytest.approx(LIMIT)


@pytest.mark.parametrize("busy", [1, 2])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_supply_sags_under_the_load_of_all_drives(carts, engine, busy):
    """At the fixed point each gives s = 1 - sag · load, with a load of s · busy / 2."""
    simulator = carts(engine, count=2)
    servo(simulator, voltage_sag=0.4)
    reset(simulator)
    command = LIMIT * (np.arange(2) < busy)
    velocity = play(simulator, command, 40)
    force = (velocity[-1] - velocity[-2])[0, 0] * MASS / DT
    assert force == pytest.approx(LIMIT / (1 + 0.4 * busy / 2), rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("share", [0.25, 1.0, 3.0])
def test_iron_costs_the_more_torque_the_more_is_wanted_up_to_the_limit(carts, engine, share):
    simulator = carts(engine)
    servo(simulator, saturation=0.4)
    reset(simulator)
    velocity = play(simulator, share * LIMIT, 1)
    ideal = min(share, 1.0) * LIMIT
    force = velocity[0, 0, 0] * MASS / DT
    assert force == pytest.approx(ideal * (1 - 0.4 * ideal / LIMIT), rel=1e-6)


def test_a_servo_whose_iron_saturates_rests_further_from_its_command(carts):
    """Against a steady pull f it needs τ (1 − s τ / τ_max) = f."""
    simulator = carts(MujocoSimulator, SERVO)
    servo(simulator, saturation=0.4)
    reset(simulator)
    simulator.fields.bind("qfrc_applied")[:, 0] = -5.0
    play(simulator, 0.0, 5000)
    ideal = LIMIT * (1 - np.sqrt(1 - 4 * 0.4 * 5.0 / LIMIT)) / (2 * 0.4)
    assert simulator.position[0, 0] == pytest.approx(-ideal / SERVO.kp, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("command", [0.4 * LIMIT, 2.0 * LIMIT])
def test_a_warm_drive_gives_less_torque_at_its_limit_too(carts, engine, command):
    simulator = carts(engine)
    servo(simulator, thermal_loss=0.02, temperature=25.0)
    reset(simulator)
    force = forces(play(simulator, command, 3))
    np.testing.assert_allclose(force, min(command, LIMIT) / 1.5, rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_torque_falls_on_a_line_to_the_speed_without_load(carts, engine):
    simulator = carts(engine)
    servo(simulator, no_load_speed=4.0)
    reset(simulator)
    velocity = play(simulator, LIMIT, 1000)[:, 0, 0]
    time = DT * np.arange(1, 1001)
    closed = 4.0 * (1 - np.exp(-time * LIMIT / (MASS * 4.0)))
    np.testing.assert_allclose(velocity, closed, atol=4.0 * LIMIT / (MASS * 4.0) * DT)


def test_a_motor_brakes_with_all_the_torque_that_its_supply_allows():
    share = torque_share(np.array([1.0, 1.0, 0.8, 0.8]), np.array([0.25, -0.25, 0.9, 0.2]))
    np.testing.assert_allclose(share, [0.75, 1.0, 0.0, 0.6])


def test_warming_up_in_many_steps_is_warming_up_in_one():
    heat, load, constant = np.zeros(1), np.array([0.7]), np.array([30.0])
    for _ in range(100):
        heat = warmed(heat, load, constant, 0.1)
    np.testing.assert_allclose(heat, warmed(np.zeros(1), load, constant, 10.0))
    np.testing.assert_allclose(heat, 0.7 * (1 - np.exp(-1 / 3)))


def test_a_dead_zone_is_continuous_at_its_edge():
    error = np.array([-0.3, -0.1, 0.05, 0.1, 0.3])
    np.testing.assert_allclose(dead_zone(error, np.full(5, 0.1)), [-0.2, 0, 0, 0, 0.2])


def test_a_delayed_servo_compares_its_position_with_the_command_that_has_arrived(carts):
    simulator = carts(MujocoSimulator, SERVO, max_delay=0.02)
    simulator.fields.expand("actuator_delay")[...] = 0.0137
    servo(simulator, deadband=0.02)
    reset(simulator)
    twin = carts(BulletSimulator, SERVO, max_delay=0.02)
    twin.fields.expand("actuator_delay")[...] = 0.0137
    servo(twin, deadband=0.02)
    reset(twin)
    for step in range(300):
        command = np.array([[0.3 * np.sin(0.1 * step)]])
        simulator.step(command), twin.step(command)
        np.testing.assert_allclose(simulator.position, twin.position, atol=1e-6)


def push(simulator, body="puck", **parameters):
    column = simulator.model.body(body).id
    for name, value in parameters.items():
        simulator.effects.pushes.parameters.expand(f"push_{name}")[:, column] = value


@pytest.mark.parametrize("duration", [0.0137, 0.1, 0.5])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_push_changes_momentum_by_its_impulse(puck, engine, duration):
    simulator = puck(engine)
    push(simulator, force=3.0, duration=duration, interval=0.5)
    reset(simulator)
    for seed in range(3):
        simulator.effects.clock.identify(seed)
        reset(simulator)
        velocity = play(simulator, 0.0, 50)[:, 0]
        gained = np.linalg.norm(velocity[-1]) * MASS
        assert gained == pytest.approx(3.0 * duration, rel=1e-6)
        assert velocity[-1, 2] == pytest.approx(0.0, abs=1e-12)
        pushed = np.linalg.norm(np.diff(velocity, axis=0, prepend=0.0), axis=1) > 1e-9
        assert pushed.sum() <= duration / 0.01 + 2
        np.testing.assert_array_equal(simulator.fields.bind("xfrc_applied"), 0.0)


def test_pushes_come_once_an_interval_at_other_times_and_from_all_sides(puck):
    simulator = puck(MujocoSimulator, nsim=50)
    push(simulator, force=2.0, duration=0.02, interval=0.2)
    reset(simulator)
    velocity = play(simulator, 0.0, 100)
    change = np.diff(velocity, axis=0, prepend=0.0)
    in_each = change.reshape(5, 20, 50, 3).sum(axis=1)
    np.testing.assert_allclose(np.linalg.norm(in_each, axis=2) * MASS, 0.04, rtol=1e-6)
    angle = np.arctan2(in_each[..., 1], in_each[..., 0])
    assert abs(np.exp(1j * angle).mean()) < 0.2
    first = np.argmax(np.abs(change[:20]).sum(axis=2) > 0, axis=0)
    assert len(np.unique(first)) > 10


def test_another_episode_is_pushed_otherwise_and_the_same_one_alike(puck):
    simulator = puck(MujocoSimulator)
    push(simulator, force=2.0, duration=0.05, interval=0.2)
    runs = []
    for episode in (0, 1, 0):
        reset(simulator)
        simulator.effects.clock.begin(episode)
        runs.append(play(simulator, 0.0, 40))
    np.testing.assert_array_equal(runs[0], runs[2])
    assert np.abs(runs[0] - runs[1]).max() > 0.01


def test_a_push_may_come_from_above():
    down = direction(np.zeros(1), np.full(1, -np.pi / 2))
    np.testing.assert_allclose(down, [[0.0, 0.0, -1.0]], atol=1e-15)


def test_what_two_spans_have_in_common():
    start, duration = np.array([0.0, 0.5, 0.95, 2.0]), np.array([3.0, 0.2, 0.2, 1.0])
    common = overlap(np.full(4, 0.0), 1.0, start, duration)
    np.testing.assert_allclose(common, [1.0, 0.2, 0.05, 0.0], atol=1e-15)


def test_without_a_push_nothing_is_used():
    assert not Pushes(2, 3).used


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrench_accelerates_by_its_force_over_the_mass(puck, engine):
    simulator = puck(engine)
    body = simulator.model.body("puck").id
    wrench = simulator.effects.pushes.wrenches.expand("wrench")
    wrench[:, 6 * body : 6 * body + 3] = [1.0, -2.0, 4.0]
    reset(simulator)
    velocity = play(simulator, 0.0, 10)[-1, 0]
    np.testing.assert_allclose(velocity, np.array([1.0, -2.0, 4.0]) / MASS * 0.1, rtol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_torque_on_a_body_turns_its_joint(make_robot, engine):
    lever = """<worldbody><body name="lever"><joint name="j" axis="0 0 1"/>
      <inertial pos="0.3 0 0" mass="1" diaginertia="0.1 0.1 0.1"/></body></worldbody>"""
    simulator = engine(make_robot(OPTION + lever, {"j": MOTOR}), 1)
    body = simulator.model.body("lever").id
    wrench = simulator.effects.pushes.wrenches.expand("wrench")
    wrench[:, 6 * body + 5] = 0.5
    wrench[:, 6 * body + 1] = 1.0  # at the centre of mass: a lever arm of 0.3
    reset(simulator)
    simulator.step(np.zeros((1, 1)))
    assert simulator.velocity[0, 0] == pytest.approx((0.5 + 0.3) / (0.1 + 0.09) * 0.01, rel=1e-4)


def test_effects_of_one_simulation_are_not_those_of_another(carts):
    simulator = carts(MujocoSimulator, nsim=3)
    simulator.effects.servos.parameters.expand("failure_time")[1] = 0.0
    reset(simulator)
    velocity = play(simulator, 4.0, 5)[-1, :, 0]
    np.testing.assert_allclose(velocity, np.array([1.0, 0.0, 1.0]) * velocity[0], atol=1e-12)


def test_a_finer_control_loop_is_the_same_physics(carts):
    """Where commands are held, what acts between physics steps does not see the control rate."""
    ends = []
    for hz in (1000.0, 100.0):
        simulator = carts(MujocoSimulator, SERVO, hz=hz)
        servo(simulator, deadband=0.01, backlash=0.01, thermal_fade=0.3, voltage_sag=0.2)
        simulator.effects.friction.parameters.expand("stiction")[...] = 0.3
        reset(simulator)
        play(simulator, 0.3, round(0.5 * hz))
        ends.append(simulator.position.copy())
    np.testing.assert_array_equal(*ends)


def test_a_robots_ranges_say_how_long_a_command_can_take(make_robot):
    robot = make_robot(f"{OPTION}<worldbody>{CART.format(i=0, joint='')}</worldbody>",
                       {"rail0": MOTOR})  # fmt: skip
    ranges = {"actuator.rail0.delay": {"set": [0.0, 0.02]},
              "actuator.rail0.delay_jitter": {"set": [0.0, 0.01]},
              "joint.rail0.position_delay": {"set": [0.0, 0.5]}}  # fmt: skip
    model = compile_model(dataclasses.replace(robot, randomize=ranges))
    assert model.actuator_history[0, 0] == 30


@pytest.mark.parametrize("engine", ENGINES)
def test_friction_grows_with_the_torque_between_motor_and_load(carts, engine):
    sim = carts(engine)
    sim.effects.friction.parameters.expand("load_friction")[...] = 0.2
    reset(sim, velocity=1.0, command=4.0)
    np.testing.assert_allclose(forces(play(sim, 4.0, 20), 1.0)[2:], 4.0 - 0.2 * 4.0, rtol=2e-2)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_breaks_loose_grows_with_the_load_at_low_speed_only(carts, engine):
    sim = carts(engine)
    sim.effects.friction.parameters.expand("load_stiction")[...] = 0.5
    sim.effects.friction.parameters.expand("stribeck_velocity")[...] = 0.1
    reset(sim, velocity=2.0, command=4.0)
    np.testing.assert_allclose(forces(play(sim, 4.0, 20), 2.0)[2:], 4.0, rtol=2e-2)
    reset(sim, velocity=1e-3, command=4.0)
    assert forces(play(sim, 4.0, 3), 1e-3)[1] == pytest.approx(4.0 - 0.5 * 4.0, rel=5e-2)


def test_gravity_on_a_gear_loads_it(make_robot):
    bar = """<body name="bar"><joint name="pivot" axis="0 1 0" pos="0 0 0"/>
      <geom type="sphere" size=".01" pos=".5 0 0" mass="1"/></body>"""
    option = '<option timestep="0.001" integrator="implicitfast"/>'
    robot = make_robot(f"{option}<worldbody>{bar}</worldbody>", {"pivot": MOTOR})
    sim = MujocoSimulator(robot, 1)
    weight = 1.0 * 9.81 * 0.5
    sim.effects.friction.parameters.expand("load_friction")[...] = 0.1
    for share, falls in ((0.7, True), (0.85, False)):
        # net torque 1 - s of the weight, friction 0.1 (1 + s) of it: balance at s = 0.82
        command = -share * weight
        zero = np.zeros((1, 1))
        sim.reset(np.zeros(1, np.int32), zero, zero, np.array([[command]]))
        for _ in range(20):
            sim.step(np.array([[command]]))
        assert (abs(float(sim.velocity[0, 0])) > 0.01) is falls, share


def test_a_replay_equals_steps_with_the_same_commands(carts):
    sim = carts(MujocoSimulator, hz=1000.0)
    rng = np.random.default_rng(0)
    command = rng.uniform(-5, 5, (1, 50, 1))
    for used in ({}, {"load_friction": 0.1, "stiction": 0.5}):
        for name, value in used.items():
            sim.effects.friction.parameters.expand(name)[...] = value
        reset(sim)
        stepped = []
        for row in range(50):
            sim.step(command[:, row])
            stepped.append(sim.position[0, 0])
        reset(sim)
        replayed = sim.replay(command, ("qpos",))["qpos"]
        np.testing.assert_array_equal(replayed[0, :, 0], stepped)


def test_a_drive_that_is_off_pushes_nothing(carts):
    sim = carts(MujocoSimulator, hz=1000.0, nsim=2)
    reset(sim)
    enabled = np.ones((2, 30), bool)
    enabled[1, 10:20] = False
    velocity = sim.replay(np.full((2, 30, 1), 4.0), ("qvel",), enabled)["qvel"][..., 0]
    np.testing.assert_allclose(velocity[0], 4.0 / MASS * DT * np.arange(1, 31))
    np.testing.assert_allclose(velocity[1, 9:20], velocity[1, 9])
    np.testing.assert_allclose(velocity[1, -1], 4.0 / MASS * DT * 20)
    np.testing.assert_array_equal(sim.fields.expand("actuator_forcerange")[:, 0, 1], LIMIT)
