"""Everything between physics and controller at once, in the environment."""

import dataclasses

import numpy as np
import pytest

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.sim.bullet.simulator import BulletSimulator

JOINT = {
    **{"position_bias": [-0.01, 0.01], "position_noise": [0.0, 0.005]},
    **{"position_drift": [-0.01, 0.01], "position_walk": [0.0, 0.01]},
    **{"position_resolution": [0.0, 0.002], "position_dropout": [0.0, 0.3]},
    **{"position_delay": [0.0, 0.03], "position_delay_jitter": [0.0, 0.02]},
    **{"position_freeze_time": [0.1, 3.0], "velocity_delay": [0.0, 0.03]},
    **{"velocity_noise": [0.0, 0.1], "velocity_walk": [0.0, 0.1]},
    **{"stiction": [0.0, 0.2], "stribeck_velocity": [0.02, 0.2]},
}
ACTUATOR = {
    **{"delay": [0.0, 0.02], "delay_jitter": [0.0, 0.02], "dropout": [0.0, 0.3]},
    **{"backlash": [0.0, 0.02], "strength": [0.7, 1.0], "failure_time": [0.2, 5.0]},
    **{"no_load_speed": [20.0, 50.0], "voltage_sag": [0.0, 0.3], "saturation": [0.0, 0.3]},
    **{"thermal_fade": [0.0, 0.5], "thermal_time": [0.1, 2.0]},
    **{"thermal_loss": [0.0, 0.03], "temperature": [-10.0, 30.0]},
}
SERVO = {"deadband": [0.0, 0.01], "encoder_resolution": [0.0, 0.002]}
BODY = {"push_force": [5.0, 20.0], "push_interval": [0.1, 0.3], "push_elevation": [-1.0, 1.0]}
BODIES = {"hopper": "torso", "so101": "lower_arm"}


def full(name):
    """Return a robot with every effect on."""
    robot = shipped.find_robot(name)
    servo = SERVO if name == "so101" else {}
    ranges = {f"joint.*.{key}": {"set": value} for key, value in JOINT.items()}
    ranges |= {f"actuator.*.{key}": {"set": value} for key, value in (ACTUATOR | servo).items()}
    ranges |= {f"body.{BODIES[name]}.{key}": {"set": value} for key, value in BODY.items()}
    return dataclasses.replace(robot, randomize=robot.randomize | ranges)


def plan(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (steps, *env.action_space.shape)).astype(np.float32)


def observations(env, actions):
    return np.array([env.step(action)[0] for action in actions])


@pytest.mark.parametrize("name", BODIES)
def test_a_saved_environment_with_every_effect_continues_exactly(name):
    env = RobotVectorEnv(full(name), 5, seed=4)
    env.reset()
    actions = plan(env, 70)
    observations(env, actions[:35])
    saved = env.state_dict()
    expected = observations(env, actions[35:])
    other = RobotVectorEnv(full(name), 5, seed=99)
    other.reset()
    observations(other, actions[:7])
    other.load_state_dict(saved)
    np.testing.assert_array_equal(observations(other, actions[35:]), expected)


@pytest.mark.parametrize("name", BODIES)
def test_more_environments_change_nothing_in_the_first_ones(name):
    few, many = (RobotVectorEnv(full(name), n, seed=2) for n in (2, 5))
    few.reset(), many.reset()
    actions = plan(many, 60)
    np.testing.assert_array_equal(
        observations(few, actions[:, :2]), observations(many, actions)[:, :2]
    )


def test_threads_change_nothing():
    rows = []
    for nthread in (1, 2):
        env = RobotVectorEnv(full("hopper"), 4, seed=3, nthread=nthread)
        env.reset()
        rows.append(observations(env, plan(env, 40)))
    np.testing.assert_array_equal(*rows)


def test_an_episode_is_the_same_whatever_came_before_it():
    """Hoppers fall at different times; the second episode of each starts as in a fresh one."""
    env, fresh = (RobotVectorEnv(full("hopper"), 4, seed=3) for _ in range(2))
    env.reset(), fresh.reset()
    observations(env, plan(env, 25))
    env.reset(seed=3), env.reset()
    fresh.reset()
    actions = plan(env, 15, seed=1)
    np.testing.assert_array_equal(observations(env, actions), observations(fresh, actions))


def test_the_first_steps_after_a_reset_have_no_kick():
    """Held servos stay, whatever is delayed, lost, worn or loose."""
    robot = full("so101")
    quiet = {name: item for name, item in robot.randomize.items() if "push" not in name}
    env = RobotVectorEnv(dataclasses.replace(robot, randomize=quiet), 8, seed=1)
    ideal = RobotVectorEnv(dataclasses.replace(robot, randomize={}), 8, seed=1)
    env.reset(), ideal.reset()
    for _ in range(3):
        observations(env, plan(env, 10))
        env.reset(), ideal.reset()
        start = env.sim.position.copy()
        np.testing.assert_array_equal(start, ideal.sim.position)
        observations(env, np.zeros((3, *env.action_space.shape), np.float32))
        assert np.abs(env.sim.position - start).max() < 0.1
        assert not env.sim.diverged.any()


def test_fields_hold_after_a_step_what_was_written_to_them():
    env = RobotVectorEnv(full("so101"), 3, seed=1)
    env.reset()
    names = ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange", "actuator_delay",
             "dof_frictionloss")  # fmt: skip
    before = {name: env.sim.fields.expand(name).copy() for name in names}
    observations(env, plan(env, 20))
    for name, values in before.items():
        np.testing.assert_array_equal(env.sim.fields.expand(name), values)


def test_without_declared_effects_nothing_is_kept_and_nothing_acts():
    env = RobotVectorEnv(shipped.find_robot("hopper"), 2)
    env.reset()
    assert not env.sim.effects.within_step
    assert env.sim.effects.state_dict().keys() == {"step"}


def test_the_second_engine_takes_every_effect():
    robot = full("so101")
    with BulletSimulator(robot, 1) as simulator:
        env = RobotVectorEnv(robot, 1, seed=5, simulator=simulator)
        twin = RobotVectorEnv(robot, 1, seed=5)
        env.reset(), twin.reset()
        actions = plan(env, 10) * 0.3
        mine, theirs = observations(env, actions), observations(twin, actions)
    np.testing.assert_allclose(mine[:5], theirs[:5], atol=0.05)
    assert np.isfinite(mine).all()


@pytest.mark.parametrize("bad", [1e12, np.nan])
def test_a_simulation_that_blows_up_under_every_effect_ends_alone(bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env, twin = (RobotVectorEnv(full("hopper"), 3, seed=1) for _ in range(2))
    env.reset(), twin.reset()
    actions = plan(env, 15)
    env.sim.fields.bind("qvel")[1] = bad
    infos = env.step(actions[0])[4]
    np.testing.assert_array_equal(infos["diverged"], [False, True, False])
    twin.step(actions[0])
    rest = [0, 2]
    after, same = observations(env, actions[1:]), observations(twin, actions[1:])
    np.testing.assert_array_equal(after[:, rest], same[:, rest])
    assert np.isfinite(after).all()
