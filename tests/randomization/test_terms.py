import dataclasses
import itertools

import mujoco
import numpy as np
import pytest

from sim2real import shipped
from sim2real.errors import ParameterError
from sim2real.parameters.names import ParameterName
from sim2real.randomization.inventory import inventory
from sim2real.randomization.parameters import ParameterSet
from sim2real.randomization.terms import TERMS, make_term
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator

ROBOTS = ["pendulum", "hopper", "so101"]


def simulator(name, nsim=3):
    robot = shipped.find_robot(name)
    return MujocoSimulator(robot, nsim, model=compile_model(robot, max_delay=0.05))


def parameters(sim, *names):
    return ParameterSet(sim.model, tuple(sim.robot.joints), names)


def key_of(entry):
    name = ParameterName.parse(entry.name)
    return f"{name.kind}.{name.attribute}"


def everyone(sim):
    return np.arange(sim.nsim, dtype=np.int32)


def start(sim):
    joints = sim.robot.joints.values()
    position = np.tile([joint.home for joint in joints], (sim.nsim, 1))
    sim.reset(everyone(sim), position, 0 * position, np.zeros((sim.nsim, sim.model.nu)))


@pytest.mark.parametrize("name", ROBOTS)
def test_writing_the_nominal_values_changes_nothing(name):
    sim, untouched = simulator(name), simulator(name)
    for _, entries in itertools.groupby(inventory(sim.robot, sim.model), key_of):
        chosen = parameters(sim, *(entry.name for entry in entries))
        chosen.write(sim, everyone(sim), np.tile(chosen.nominal, (sim.nsim, 1)))
    for world in (sim, untouched):
        start(world)
        for _ in range(20):
            world.step(np.full((sim.nsim, sim.model.nu), 0.1))
    np.testing.assert_array_equal(sim.position, untouched.position)


@pytest.mark.parametrize("name", ROBOTS)
def test_every_shipped_range_can_be_written_at_its_ends(name):
    robot = shipped.find_robot(name)
    sim = MujocoSimulator(robot, 2)
    chosen = parameters(sim, *robot.ranges)
    ends = [item.bounds(n) for item, n in zip(robot.ranges.values(), chosen.nominal, strict=True)]
    chosen.write(sim, everyone(sim), np.array(ends).T)


def test_a_randomized_simulation_equals_a_model_compiled_with_the_same_numbers():
    robot = shipped.find_robot("pendulum")
    sim = MujocoSimulator(robot, 3)
    names = ("body.bob.mass", "joint.pivot.damping", "joint.pivot.frictionloss",
             "joint.pivot.armature", "actuator.pivot.gain", "opt.gravity[2]")  # fmt: skip
    values = np.array([0.8, 0.07, 0.2, 0.005, 1.1, -9.0])
    parameters(sim, *names).write(sim, everyone(sim), np.tile(values, (3, 1)))

    spec = mujoco.MjSpec.from_file(str(robot.model_path))
    bob, pivot = spec.body("bob"), spec.joint("pivot")
    bob.inertia = bob.inertia * (values[0] / bob.mass)
    bob.mass = values[0]
    pivot.damping[0], pivot.frictionloss, pivot.armature = values[1:4]
    spec.option.gravity[2] = values[5]
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    nsample = round(0.03 / spec.option.timestep)
    motor = spec.add_actuator(
        name="pivot", target="pivot", trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
        forcerange=[-2.0, 2.0], nsample=nsample, interp=1)  # fmt: skip
    motor.set_to_motor()
    motor.gainprm[0] = values[4]
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[:] = 0.3
    sim.reset(everyone(sim), np.full((3, 1), 0.3), np.zeros((3, 1)), np.zeros((3, 1)))
    for step in range(100):
        command = np.sin(0.1 * step)
        sim.step(np.full((3, 1), command))
        data.ctrl[:] = command
        mujoco.mj_step(model, data, 10)
    assert sim.position[1, 0] == data.qpos[0]
    assert sim.velocity[1, 0] == data.qvel[0]


def test_inertia_moves_with_mass():
    sim = simulator("pendulum")
    parameters(sim, "body.bob.mass").write(
        sim, everyone(sim), np.array([[0.273], [0.546], [1.092]])
    )
    ratio = sim.fields.expand("body_inertia")[:, 2] / sim.model.body_inertia[2]
    np.testing.assert_allclose(ratio, np.array([0.5, 1.0, 2.0])[:, None] * np.ones(3))


def test_derived_constants_follow_a_changed_mass():
    sim = simulator("pendulum")
    parameters(sim, "body.bob.mass").write(
        sim, everyone(sim), np.array([[0.273], [0.546], [1.092]])
    )
    weight = sim.fields.expanded("body_invweight0")[:, 2, 0]
    assert weight[0] > weight[1] > weight[2]


def test_a_moved_centre_of_mass_acts():
    sim = simulator("pendulum", nsim=2)
    parameters(sim, "body.bob.ipos[0]").write(sim, everyone(sim), np.array([[0.0], [0.1]]))
    start(sim)
    for _ in range(20):
        sim.step(np.zeros((2, 1)))
    assert abs(sim.position[0, 0]) < 1e-9
    assert abs(sim.position[1, 0]) > 1e-3


def test_doubling_mass_halves_acceleration(tmp_path):
    (tmp_path / "cart.xml").write_text(
        '<mujoco><option timestep="0.001" gravity="0 0 0"/><worldbody><body name="cart">'
        '<joint name="rail" type="slide" axis="1 0 0"/><geom type="sphere" size=".1" mass="1"/>'
        "</body></worldbody></mujoco>"
    )
    pendulum = shipped.find_robot("pendulum")
    robot = dataclasses.replace(
        pendulum, folder=tmp_path, model="cart.xml", tip=None, randomize={},
        joints={"rail": pendulum.joints["pivot"]})  # fmt: skip
    sim = MujocoSimulator(robot, 2)
    parameters(sim, "body.cart.mass").write(sim, everyone(sim), np.array([[1.0], [2.0]]))
    start(sim)
    sim.step(np.ones((2, 1)))
    np.testing.assert_allclose(sim.velocity[0], 2 * sim.velocity[1], rtol=1e-12)


def test_a_servos_stiffness_changes_both_halves_of_its_law():
    sim = simulator("so101", nsim=1)
    parameters(sim, "actuator.elbow_flex.kp").write(sim, everyone(sim), np.array([[7.0]]))
    actuator = sim.model.actuator("elbow_flex").id
    assert sim.fields.expand("actuator_gainprm")[0, actuator, 0] == 7.0
    assert sim.fields.expand("actuator_biasprm")[0, actuator, 1] == -7.0


def test_a_contact_takes_the_larger_friction_so_both_sides_are_randomized():
    ranges = shipped.find_robot("hopper").ranges
    assert {"geom.floor.friction[0]", "geom.foot_geom.friction[0]"} <= set(ranges)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("body.bbo.mass", "did you mean 'bob'"),
        ("body.bob.mas", "did you mean 'body.mass'"),
        ("geom.bob.friction", "[0] to [2]"),
        ("geom.bob.friction[3]", "[0] to [2]"),
        ("body.bob.mass[0]", "no index"),
        ("actuator.pivot.kp", "only a joint in position mode"),
        ("joint.pivto.position_noise", "did you mean 'pivot'"),
        ("body.world.mass", "no mass"),
    ],
)
def test_a_parameter_that_names_nothing_is_refused(name, says):
    sim = simulator("pendulum")
    with pytest.raises(ParameterError) as caught:
        make_term(sim.model, name, tuple(sim.robot.joints))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("body.bob.mass", -0.1), ("joint.pivot.damping", -1.0), ("body.bob.mass", np.nan),
     ("actuator.pivot.delay", 0.06), ("geom.bob.friction[0]", -1.0)],
)  # fmt: skip
def test_an_impossible_value_is_refused_before_anything_is_written(name, value):
    sim = simulator("pendulum")
    with pytest.raises(ParameterError, match=r"pivot|bob"):
        parameters(sim, name).write(sim, everyone(sim), np.full((3, 1), value))


def test_a_parameter_named_twice_is_refused():
    sim = simulator("pendulum")
    with pytest.raises(ParameterError, match="twice"):
        parameters(sim, "body.bob.mass", "body.bob.mass")


def test_the_private_list_that_says_what_needs_set_const_is_still_there():
    assert {"body_mass", "body_ipos", "dof_armature"} <= set(mujoco.MjModel._setconst_inputs)


def test_every_term_is_documented():
    for key, term in TERMS.items():
        assert term.__doc__, key
        assert term.summary, key
        assert term.unit, key


def test_every_term_has_a_usual_range_with_its_source_or_says_why_there_is_none():
    assert not [key for key, term in TERMS.items() if not term.source]
    without = {key for key, term in TERMS.items() if term.usual is None}
    of_the_robot = {"actuator.no_load_speed", "body.push_force", "body.wrench", "joint.stiction"}
    never = {"actuator.failure_time", *(key for key in TERMS if key.endswith("_freeze_time"))}
    assert without == of_the_robot | never


@pytest.mark.parametrize("name", ROBOTS)
def test_usual_ranges_are_physical_or_are_cut_to_what_is(name):
    sim = simulator(name)
    for entry in inventory(sim.robot, sim.model):
        usual = TERMS[key_of(entry)].usual
        if usual is not None and np.isfinite(usual.distribution.support).all():
            low, high = usual.bounds(entry.nominal)
            assert low <= high
            assert max(low, entry.bounds[0]) <= min(high, entry.bounds[1]), entry.name
            assert entry.bounds[0] <= entry.nominal <= entry.bounds[1], entry.name


def test_a_range_of_numbers_of_one_kind_is_one_write_a_field():
    robot = shipped.find_robot("so101")
    sim = MujocoSimulator(robot, 2)
    names = [name for name in robot.ranges if "position" not in name and "velocity" not in name]
    chosen = parameters(sim, *names)
    writers = [type(writer).__name__ for _, writer in chosen._together]
    assert sorted(writers) == ["CellWriter", "InertialWriter", "LawWriter"]


def test_set_const_is_called_only_where_constants_depend_on_what_is_drawn():
    sim = simulator("hopper")
    assert parameters(sim, "body.torso.mass", "joint.leg_joint.damping")._for_set_const
    assert not parameters(sim, "joint.leg_joint.damping", "opt.gravity[2]")._for_set_const


def test_a_moved_centre_of_mass_is_ignored_without_set_const():
    """Trap: why `needs_set_const` is derived from MuJoCo's own list."""
    sim = simulator("pendulum", nsim=2)
    sim.fields.expand("body_ipos")[1, 2, 0] = 0.1
    offsets = []
    for _ in range(2):
        sim.fields.bind("xipos"), sim.fields.bind("xpos")
        sim.fields.forward()
        offsets.append(np.abs(sim.fields.bind("xipos") - sim.fields.bind("xpos"))[1, 2, 0])
        sim.fields.set_const()
    assert offsets == [0.0, pytest.approx(0.1)]


@pytest.mark.parametrize("name", ["delay", "delay_jitter"])
def test_a_delay_longer_than_its_buffer_is_refused(name):
    """Trap: MuJoCo would read before the buffer, without an error."""
    sim = simulator("pendulum")  # compiled for 0.05 s
    chosen = parameters(sim, f"actuator.pivot.{name}")
    chosen.write(sim, everyone(sim), np.full((3, 1), 0.05))
    with pytest.raises(ParameterError, match=r"longer than the 0\.05 s"):
        chosen.write(sim, everyone(sim), np.full((3, 1), 0.051))


def test_mujoco_still_applies_no_noise_to_its_sensors():
    """Trap: a sensor's `noise` is metadata only; sensors are noisy by `effects` here."""
    spec = mujoco.MjSpec.from_string(
        "<mujoco><worldbody><body><joint name='j'/><geom size='.1'/></body></worldbody>"
        "<sensor><jointpos joint='j' noise='1'/></sensor></mujoco>"
    )
    batch = mujoco.batch.Batch(spec.compile(), 8, 1)
    batch.forward()
    assert not batch.bind("sensordata").any()


def test_mujoco_still_resolves_a_damping_ratio_when_it_compiles():
    """Trap: a stiffness that is drawn later leaves the damping as it was; see frequency_scale."""
    spec = mujoco.MjSpec.from_string(
        "<mujoco><worldbody><body><joint name='j'/><geom size='.1'/></body></worldbody>"
        "<actuator><position joint='j' kp='10' dampratio='1'/></actuator></mujoco>"
    )
    batch = mujoco.batch.Batch(spec.compile(), 1, 1)
    damping = batch.expand("actuator_biasprm")[0, 0, 2].copy()
    assert damping < 0.0
    batch.expand("actuator_gainprm")[0, 0, 0] = 40.0
    batch.expand("actuator_biasprm")[0, 0, 1] = -40.0
    batch.set_const()
    assert batch.get_model(0).actuator_biasprm[0, 2] == damping


def test_mujoco_still_leaves_the_inertia_where_the_mass_changes():
    """Trap: why the mass term writes both."""
    sim = simulator("pendulum", nsim=1)
    sim.fields.expand("body_mass")[:] *= 2.0
    sim.fields.set_const()
    np.testing.assert_array_equal(sim.fields.get_model(0).body_inertia, sim.model.body_inertia)


def test_mujoco_still_accepts_what_no_body_can_be():
    """Trap: why values are checked before they are written."""
    sim = simulator("pendulum", nsim=1)
    sim.fields.expand("body_mass")[:, 2] = -1.0
    sim.fields.expand("geom_friction")[:] = -1.0
    sim.fields.set_const()
    sim.fields.step()


@pytest.mark.parametrize(
    ("name", "value"),
    [("body.bob.inertia_scale", 0.0), ("body.bob.payload", -0.1), ("opt.timestep", -0.001),
     ("opt.timestep", 0.0), ("opt.density", -1.0), ("geom.bob.size[0]", 0.0),
     ("geom.bob.solref[0]", -0.01), ("joint.pivot.armature", -1e-3), ("body.rod.length", 0.0),
     ("actuator.pivot.strength", -1.0), ("geom.bob.margin", -1e-3)],
)  # fmt: skip
def test_what_mujoco_would_accept_is_refused_here(name, value):
    """Trap: negative masses, frictions and time steps are no errors to MuJoCo."""
    sim = simulator("pendulum")
    with pytest.raises(ParameterError, match="impossible"):
        parameters(sim, name).write(sim, everyone(sim), np.full((3, 1), value))
