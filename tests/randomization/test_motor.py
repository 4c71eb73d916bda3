"""DC motors: what their data sheets say comes out of the simulation, and terms change it."""

import dataclasses

import numpy as np
import pytest

from sim2real.errors import ConfigError, ParameterError
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Joint, Limits, LuGre, Motor
from sim2real.sim.mujoco_batch import MujocoSimulator

FLYWHEEL = """<option timestep="0.0005" gravity="0 0 0" integrator="implicitfast"/><worldbody>
  <body name="wheel"><joint name="j" axis="0 0 1"/><inertial pos="0 0 0" mass="1"
  diaginertia="0.002 0.002 0.002"/></body></worldbody>"""
LIMITS = Limits(torque=1e3, velocity=1e3, position=(-100.0, 100.0))
MOTOR = Motor(resistance=2.0, torque_constant=0.05, voltage=12.0, gear=20.0)
STALL, NO_LOAD = 20 * 0.05 * 12.0 / 2.0, 12.0 / (20 * 0.05)
"""N K U / R [Nm] and U / (N K) [rad/s]."""


@pytest.fixture
def drive(make_robot):
    def make(nsim=1, motor=MOTOR, **joint):
        fields = {"mode": "torque", "limits": LIMITS, "motor": motor, **joint}
        return MujocoSimulator(make_robot(FLYWHEEL, {"j": Joint(**fields)}), nsim)

    return make


def run(sim, command, seconds, velocity=0.0):
    ids = np.arange(sim.nsim, dtype=np.int32)
    still = np.zeros((sim.nsim, 1))
    sim.reset(ids, still, still + velocity, still)
    for _ in range(round(seconds * 100)):
        sim.step(np.full((sim.nsim, 1), command))
    return sim.velocity[:, 0]


def write(sim, **numbers):
    names = [f"actuator.j.{name}" for name in numbers]
    ids = np.arange(sim.nsim, dtype=np.int32)
    ParameterSet(sim.model, ("j",), names).write(sim, ids, np.array(list(numbers.values())).T)


def torque(sim, command, velocity):
    sim.reset(np.zeros(1, np.int32), np.zeros((1, 1)), np.full((1, 1), velocity), np.zeros((1, 1)))
    force = sim.fields.bind("actuator_force")
    sim.fields.ctrl = command
    sim.fields.forward()
    return force[0, 0]


def test_the_torque_falls_from_stall_torque_to_nothing_at_no_load_speed(drive):
    sim = drive()
    for share in (0.0, 0.25, 0.5, 1.0):
        expected = STALL * (1 - share)
        assert torque(sim, 1e3, share * NO_LOAD) == pytest.approx(expected, abs=1e-9)


def test_the_commanded_torque_is_delivered_while_the_voltage_lasts(drive):
    assert torque(drive(), 2.0, 0.3 * NO_LOAD) == pytest.approx(2.0)
    assert torque(drive(), 2.0, 0.9 * NO_LOAD) == pytest.approx(0.1 * STALL)


def test_a_free_wheel_reaches_no_load_speed(drive):
    assert run(drive(), 1e3, 2.0)[0] == pytest.approx(NO_LOAD, rel=1e-6)


def test_the_rotor_spins_up_with_the_electromechanical_time_constant(drive):
    # ω(t) = ω0 (1 - exp(-t K² / (J R)))
    expected = NO_LOAD * (1 - np.exp(-0.01 * 1.0 / (0.002 * 2.0)))
    assert run(drive(), 1e3, 0.01)[0] == pytest.approx(expected, rel=0.02)


def test_terms_move_stall_torque_and_no_load_speed_as_the_circuit_says(drive):
    sim = drive(nsim=5)
    write(sim, voltage=[12, 6, 12, 12, 12], resistance=[2, 2, 4, 2, 2],
          motor_constant=[1, 1, 1, 2, 1], gear_ratio_scale=[1, 1, 1, 1, 2])  # fmt: skip
    speed = run(sim, 1e3, 5.0)
    np.testing.assert_allclose(speed / NO_LOAD, [1, 0.5, 1, 0.5, 0.5], rtol=1e-6)
    run(sim, 0.0, 0.0)
    sim.fields.ctrl = 1e3
    force = sim.fields.bind("actuator_force")
    sim.fields.forward()
    np.testing.assert_allclose(force[:, 0] / STALL, [1, 0.5, 0.5, 2, 2], rtol=1e-12)


def test_the_current_lags_by_inductance_over_resistance(drive):
    slow = Motor(resistance=2.0, torque_constant=0.001, voltage=12.0, inductance=0.1)
    sim = drive(motor=slow)  # of so little torque that the wheel hardly turns
    sim.fields.bind("actuator_force")
    run(sim, 1e3, 0.05)  # L/R = 0.05 s
    share = sim.fields.bind("actuator_force")[0, 0] / (0.001 * 12.0 / 2.0)
    assert share == pytest.approx(1 - np.exp(-1.0), rel=0.02)


def test_lugre_friction_sticks_below_the_static_torque_and_slides_above(drive):
    lugre = LuGre(stiffness=1e3, damping=1.0, coulomb=0.2, static=0.3, stribeck=0.01)
    sim = drive(motor=dataclasses.replace(MOTOR, lugre=lugre))
    run(sim, 0.0, 0.0)
    for step in range(100):  # a step of torque would swing the bristles beyond what holds
        sim.step(np.array([[0.0025 * step]]))
        assert abs(sim.velocity[0, 0]) < 0.02
    for _ in range(20):
        sim.step(np.array([[0.35]]))
    assert sim.velocity[0, 0] > 1.0


def test_static_friction_below_coulombs_is_refused_and_drawn_again(drive):
    """As a motor's table with such numbers is."""
    lugre = LuGre(stiffness=100.0, damping=0.01, coulomb=0.2, static=0.25, stribeck=0.01)
    sim = drive(motor=dataclasses.replace(MOTOR, lugre=lugre))
    with pytest.raises(ParameterError, match="must not be below the Coulomb torque"):
        ParameterSet(sim.model, ("j",), ["actuator.j.lugre[3]"]).write(
            sim, np.zeros(1, np.int32), np.full((1, 1), 0.19))  # fmt: skip
    apart = {"scale": [0.5, 1.5]}
    ranges = {f"actuator.j.lugre[{i}]": Range.parse(apart, "") for i in (2, 3)}
    engine = Randomizer(sim, ranges, seed=0, impossible="redraw")
    values, _ = engine.draw(np.arange(500), np.zeros(500, np.int64))
    assert (values[:, 1] >= values[:, 0]).all()
    assert engine.mender.count > 20


def test_sliding_lugre_friction_is_coulombs(drive):
    # little bristle damping: the implicit integrator adds timestep × damping to the inertia
    lugre = LuGre(stiffness=100.0, damping=0.01, coulomb=0.2, static=0.3, stribeck=0.01)
    sim = drive(motor=dataclasses.replace(MOTOR, lugre=lugre))
    early = run(sim, 0.21, 0.1, velocity=1.0)[0]
    for _ in range(20):
        sim.step(np.array([[0.21]]))
    # the acceleration is (τ - Fc) / J
    assert sim.velocity[0, 0] - early == pytest.approx(0.2 * 0.01 / 0.002, rel=0.02)


def test_a_dc_servo_holds_its_target_as_an_ideal_one(drive):
    servo = {"mode": "position", "kp": 5.0, "kd": 0.2, "action_scale": 1.0}
    real, ideal = drive(**servo), drive(motor=None, **servo)
    for sim in (real, ideal):
        run(sim, 0.5, 0.3)  # small enough a step for the voltage to last
    np.testing.assert_allclose(real.position, ideal.position, rtol=1e-6)
    for sim in (real, ideal):
        run(sim, 10.0, 0.3)
    assert real.position[0, 0] < 0.9 * ideal.position[0, 0]


def test_gains_of_a_dc_servo_can_be_drawn(drive):
    sim = drive(mode="position", kp=5.0, kd=0.2, action_scale=1.0)
    write(sim, kp=[7.0], kd=[0.3])
    np.testing.assert_array_equal(sim.fields.expand("actuator_gainprm")[0, 0, [4, 6]], [7.0, 0.3])


@pytest.mark.parametrize("mode", ["torque", "position"])
def test_a_broken_dc_motor_gives_no_torque_from_its_time_on(drive, mode):
    servo = {"kp": 5.0, "kd": 0.2, "action_scale": 1.0} if mode == "position" else {}
    sim = drive(2, mode=mode, **servo)
    write(sim, failure_time=[0.1, 1e9])
    run(sim, 0.5, 0.1)
    broken, whole = sim.velocity[:, 0].copy()
    assert broken == whole > 0.0
    for _ in range(20):
        sim.step(np.full((2, 1), 0.5))
    assert sim.velocity[0, 0] == broken
    assert sim.velocity[1, 0] != whole
    assert not sim.diverged.any()


@pytest.mark.parametrize("mode", ["torque", "position"])
def test_heat_takes_as_much_of_a_dc_motor_as_of_an_ideal_one(drive, mode):
    """What counts is the torque that its driver gives, whatever its circuit's numbers are."""
    servo = {"kp": 5.0, "kd": 0.2, "action_scale": 1.0} if mode == "position" else {}
    limits = Limits(torque=1.0, velocity=1e3, position=(-100.0, 100.0))
    strong = dataclasses.replace(MOTOR, voltage=1e4)
    speeds = []
    for motor in (strong, None):
        sim = drive(mode=mode, motor=motor, limits=limits, **servo)
        write(sim, thermal_fade=[0.8], thermal_time=[0.2])
        speeds.append(run(sim, 0.6, 0.5).copy())
    np.testing.assert_allclose(*speeds, rtol=1e-6)


def test_a_dc_motor_crosses_its_play_as_an_ideal_one(drive):
    servo = {"mode": "position", "kp": 5.0, "kd": 0.2, "action_scale": 1.0}
    limits = Limits(torque=2.0, velocity=10.0, position=(-100.0, 100.0))
    strong, angles = dataclasses.replace(MOTOR, voltage=1e4), []
    for motor in (strong, None):
        sim = drive(motor=motor, limits=limits, **servo)
        write(sim, backlash=[0.2])
        run(sim, 0.3, 0.4)
        angles.append(sim.position[0, 0])
    assert angles[0] == pytest.approx(angles[1], abs=1e-6)


@pytest.mark.parametrize("name", ["no_load_speed", "voltage_sag"])
def test_what_the_circuit_says_itself_is_refused(drive, name):
    with pytest.raises(ParameterError, match=r"draw its voltage \(actuator.j.voltage\)"):
        ParameterSet(drive().model, ("j",), [f"actuator.j.{name}"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("actuator.j.gain", "resistance"),
        ("actuator.j.inductance", "without it"),
        ("actuator.j.saturation", "motor_constant"),
        ("actuator.j.thermal_loss", "motor_constant"),
    ],
)
def test_what_a_motor_has_not_is_refused(drive, name, says):
    with pytest.raises(ParameterError, match=says):
        ParameterSet(drive().model, ("j",), [name])


def test_a_motor_term_needs_a_motor(drive):
    with pytest.raises(ParameterError, match="no motor table"):
        ParameterSet(drive(motor=None).model, ("j",), ["actuator.j.voltage"])


@pytest.mark.parametrize(
    "numbers", [{"resistance": 0.0}, {"voltage": -1.0}, {"gear": 0.0}, {"inductance": -1.0}]
)
def test_an_impossible_motor_is_refused(numbers):
    with pytest.raises(ConfigError, match="motor"):
        Motor(**{"resistance": 2.0, "torque_constant": 0.05, "voltage": 12.0, **numbers})


def test_a_passive_joint_has_no_motor():
    with pytest.raises(ConfigError, match="passive"):
        Joint(mode="passive", motor=MOTOR)
