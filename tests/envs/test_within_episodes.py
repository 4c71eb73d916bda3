"""Parameters that change in the middle of an episode act as physics says, and on time."""

import dataclasses

import mujoco
import numpy as np
import pytest

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.envs.worlds import Worlds
from sim2real.parameters.ranges import Range
from sim2real.randomization.draws import Instant
from sim2real.randomization.engine import Randomizer
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.mujoco_batch import MujocoSimulator

PENDULUM = shipped.find_robot("pendulum")
RESTLESS = {
    "body.bob.mass": {"scale": [0.5, 1.5], "every": 0.05},
    "joint.pivot.damping": {"set": [0.01, 0.2], "when": "step"},
    "joint.pivot.armature": {"set": [0.0, 0.01], "every": 0.03},
    "body.bob.ipos[0]": {"set": [-0.05, 0.05], "every": 0.02},
    "actuator.pivot.gain": {"scale": [0.7, 1.3], "when": "step"},
}


def env_with(ranges, n=3):
    robot = dataclasses.replace(PENDULUM, randomize=ranges)
    env = RobotVectorEnv(robot, n, seed=1)
    env.reset()
    return env


def compiled(values):
    """Return a model of the pendulum that has these numbers from the start."""
    spec = mujoco.MjSpec.from_file(str(PENDULUM.model_path))
    bob, pivot = spec.body("bob"), spec.joint("pivot")
    bob.inertia = bob.inertia * (values["body.bob.mass"] / bob.mass)
    bob.mass = values["body.bob.mass"]
    bob.ipos[0] = values["body.bob.ipos[0]"]
    pivot.damping[0] = values["joint.pivot.damping"]
    pivot.armature = values["joint.pivot.armature"]
    for actuator in list(spec.actuators):
        spec.delete(actuator)
    motor = spec.add_actuator(
        name="pivot", target="pivot", trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True,
        forcerange=[-2.0, 2.0])  # fmt: skip
    motor.set_to_motor()
    motor.gainprm[0] = values["actuator.pivot.gain"]
    return spec.compile()


def test_a_world_that_changes_equals_a_model_compiled_anew_at_each_change():
    env = env_with(RESTLESS)
    data = mujoco.MjData(compiled(dict(zip(env.randomizer.names, env.values[1], strict=True))))
    data.qpos[:] = env.sim.position[1]
    for step in range(200):
        model = compiled(dict(zip(env.randomizer.names, env.values[1], strict=True)))
        env.step(np.full((3, 1), np.sin(0.2 * step), np.float32))
        data.ctrl[:] = env.command[1]
        mujoco.mj_step(model, data, 10)
        assert env.sim.position[1, 0] == data.qpos[0]
        assert env.sim.velocity[1, 0] == data.qvel[0]


def test_writing_in_the_middle_of_an_episode_gives_no_kick():
    env = env_with(RESTLESS)
    for _ in range(20):
        env.step(np.full((3, 1), 0.5, np.float32))
    before = env.sim.fields.state.copy()
    ids = np.arange(3, dtype=np.int32)
    worlds = env.randomizer.draw(ids, env.episode)
    now = Instant(ids, env.episode, np.full(3, 30), np.ones(3))
    changed = worlds[0].copy()
    env.randomizer.vary(ids, now, worlds)
    assert (worlds[0] != changed).all()
    np.testing.assert_array_equal(env.sim.fields.state, before)


def test_a_change_of_mass_changes_the_acceleration_and_not_the_velocity(tmp_path):
    (tmp_path / "cart.xml").write_text(
        '<mujoco><option timestep="0.001" gravity="0 0 0"/><worldbody><body name="cart">'
        '<joint name="rail" type="slide" axis="1 0 0"/><geom type="sphere" size=".1" mass="1"/>'
        "</body></worldbody></mujoco>"
    )
    robot = dataclasses.replace(
        PENDULUM, folder=tmp_path, model="cart.xml", tip=None, randomize={},
        joints={"rail": PENDULUM.joints["pivot"]})  # fmt: skip
    sim, ids = MujocoSimulator(robot, 1), np.zeros(1, np.int32)
    item = Range.parse({"scale": {"categorical": [1.0, 4.0]}, "when": "step"}, "")
    engine = Randomizer(sim, {"body.cart.mass": item}, seed=0)
    worlds = engine.draw(ids, np.zeros(1, np.int64))
    engine.apply(ids, worlds[0])
    sim.reset(ids, np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    velocity, masses = 0.0, set()
    for step in range(1, 20):
        sim.step(np.ones((1, 1)))
        velocity += 0.01 / worlds[0][0, 0]
        masses.add(worlds[0][0, 0])
        assert sim.velocity[0, 0] == pytest.approx(velocity, rel=1e-9)
        engine.vary(ids, Instant(ids, np.zeros(1, int), np.full(1, step), np.ones(1)), worlds)
    assert masses == {1.0, 4.0}


def test_a_delay_that_changes_reads_the_true_past():
    """Also from no delay to one: the buffer is filled all the time."""
    delays = {"categorical": [0.0, 0.02, 0.05]}
    env = env_with({"actuator.pivot.delay": {"set": delays, "every": 0.04}}, n=4)
    force = env.sim.fields.bind("actuator_force")
    sent, rng, met = [env.command[:, 0].copy()] * 10, np.random.default_rng(0), set()
    for _ in range(150):
        delay = env.values[:, 0]  # that of the control step to come
        met |= set(delay)
        action = rng.uniform(-0.9, 0.9, (4, 1)).astype(np.float32)
        env.step(action)
        sent.append(env.command[:, 0].copy())
        late = np.round(delay / 0.01).astype(int)
        expected = [sent[-1 - steps][k] for k, steps in enumerate(late)]
        np.testing.assert_allclose(force[:, 0], expected, atol=1e-12)
    assert met == {0.0, 0.02, 0.05}


def test_both_engines_agree_on_a_world_that_changes():
    ranges = {name: RESTLESS[name] for name in ("body.bob.mass", "joint.pivot.damping")} | {
        "actuator.pivot.delay": {"set": [0.005, 0.03], "every": 0.1}
    }
    robot = dataclasses.replace(PENDULUM, randomize=ranges)
    with BulletSimulator(robot, 2) as bullet:
        envs = [
            RobotVectorEnv(robot, 2, seed=3),
            RobotVectorEnv(robot, 2, seed=3, simulator=bullet),
        ]
        for env in envs:
            env.reset()
        for step in range(100):
            action = np.full((2, 1), np.sin(0.1 * step), np.float32)
            for env in envs:
                env.step(action)
        moved = np.abs(envs[0].sim.position - np.array([[0.0]])).max()
        np.testing.assert_allclose(envs[0].sim.position, bullet.position, atol=0.01 * moved)
        np.testing.assert_array_equal(envs[0].values, envs[1].values)


def test_what_varies_is_in_force_when_the_critic_sees_it():
    env = env_with({"joint.pivot.damping": {"set": [0.01, 0.2], "when": "step"}})
    for _ in range(5):
        env.step(np.zeros((3, 1), np.float32))
        np.testing.assert_array_equal(env.sim.fields.expand("dof_damping")[:, 0], env.values[:, 0])
        shown = 0.01 + 0.19 * (env.privileged[:, 0] + 1) / 2
        np.testing.assert_allclose(shown, env.values[:, 0], rtol=1e-5)


def test_without_ranges_within_episodes_nothing_is_drawn_there(monkeypatch):
    env = RobotVectorEnv(PENDULUM, 2, seed=1)
    env.reset()
    assert not env.randomizer.varies
    monkeypatch.setattr(Worlds, "vary", None)
    env.step(np.zeros((2, 1), np.float32))
