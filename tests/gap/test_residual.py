"""Residual dynamics: what is missing, what is learned of it, and what it changes."""

import numpy as np
import pytest

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.gap.build import make_correction, target_robot
from sim2real.gap.missing_force import MissingForce
from sim2real.gap.observer import MotionReader
from sim2real.gap.recorder import Recorder
from sim2real.gap.residual import ResidualForce
from sim2real.gap.settings import GapSettings
from sim2real.shipped import find_robot

HALF_GRAVITY = GapSettings(method="residual", changed={"opt.gravity[2]": -4.905}, target_steps=2000)


def played(robot, steps=40, n=16):
    """Return what a robot does under random actions."""
    env = RobotVectorEnv(robot, n)
    recorder = Recorder(env, MotionReader(robot))
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(steps):
        env.step(rng.uniform(-1.0, 1.0, (n, len(robot.driven))))
    return recorder.take()[0]


@pytest.fixture(scope="module")
def half(pendulum):
    """Return the pendulum under half the gravity."""
    return target_robot(HALF_GRAVITY, pendulum.with_ranges({}))


def test_nothing_is_missing_in_the_models_own_transitions(pendulum):
    nominal = pendulum.with_ranges({})
    assert np.abs(MissingForce(nominal).of(played(nominal))).max() < 1e-9


def test_half_the_gravity_is_missing_as_the_torque_that_it_makes(pendulum, half):
    """(m l + m_rod l / 2) g / 2 sin(angle), with the angle from the bottom."""
    found = played(half)
    missing = MissingForce(pendulum.with_ranges({})).of(found)[:, 0]
    angle = found.state[:, 0] + 0.5 * found.change[:, 0]
    moment = 0.546 * 0.5 + 0.13 * 0.25
    error = np.abs(missing - 4.905 * moment * np.sin(angle))
    assert np.quantile(error, 0.98) < 0.01  # the others stuck within the step


def test_a_contact_is_inverted_too():
    """A runner that lands under half the gravity: the simulation ends where it did."""
    robot = find_robot("half_cheetah").with_ranges({})
    found = played(target_robot(HALF_GRAVITY, robot), n=8)
    solver = MissingForce(robot)
    few = found[:256]
    wanted = (few.state + few.change)[:, 9:]
    before = np.abs(solver._simulated(few, np.zeros((256, 9))) - wanted).max(axis=1)
    after = np.abs(solver._simulated(few, solver.of(few)) - wanted).max(axis=1)
    assert np.median(after) < 0.02 * np.median(before)
    assert after.mean() < 0.6 * before.mean()  # with the steps in which a foot landed


def test_forces_that_follow_no_rule_are_not_believed():
    rng = np.random.default_rng(0)
    model = ResidualForce(3, 2, seed=0)
    features = rng.normal(size=(2000, 3))
    force = np.stack([np.sin(features[:, 0]), rng.normal(size=2000)], axis=1)
    found = model.fit(features, force, 1500)
    foreseen = model(features)
    assert np.corrcoef(foreseen[:, 0], force[:, 0])[0, 1] > 0.98
    assert np.abs(foreseen[:, 1]).max() < 0.1
    assert found["trusted"] == pytest.approx(0.5, abs=0.06)


def test_a_force_never_exceeds_what_was_missing():
    features = np.random.default_rng(0).normal(size=(500, 1))
    model = ResidualForce(1, 1, seed=0)
    model.fit(features, 2.0 * features, 500)
    assert np.abs(model(np.array([[50.0], [-50.0]]))).max() <= 2.0 * np.abs(features).max()


def test_the_source_comes_to_move_as_the_target_does(pendulum, half):
    env = RobotVectorEnv(pendulum.with_ranges({}), 16)
    correction, _ = make_correction(HALF_GRAVITY, env, rounds=4, seed=0)
    rng = np.random.default_rng(0)
    truth = played(half)

    def error():
        late = truth[-16:]
        position, velocity = np.split(late.state, 2, axis=1)
        env.sim.reset(np.arange(16, dtype=np.int32), position, velocity, late.action)
        env.sim.step(late.action)
        return float(np.abs(env.sim.velocity - (late.state + late.change)[:, 1:]).mean())

    before = error()
    for _ in range(4):
        logged = correction.learn(
            lambda rows: rng.uniform(-1.0, 1.0, (len(rows), 1)), truth, np.zeros(1), 0.5
        )
    assert correction.target.steps == 2000
    assert logged["foreseen"] > 0.95
    assert error() < 0.4 * before


def test_a_floating_base_is_refused():
    robot = find_robot("ant")
    settings = GapSettings(method="residual", changed={"opt.gravity[2]": -4.9})
    with pytest.raises(ConfigError, match="floats"):
        make_correction(settings, RobotVectorEnv(robot, 1), rounds=1, seed=0)


def test_another_engine_can_be_the_target(pendulum):
    settings = GapSettings(method="residual", engine="bullet", target_steps=200)
    env = RobotVectorEnv(pendulum.with_ranges({}), 4)
    correction, _ = make_correction(settings, env, rounds=1, seed=0)
    logged = correction.learn(lambda rows: np.ones((len(rows), 1)), None, np.zeros(1), 0.5)
    assert logged["target_steps"] == 200
    assert np.abs(correction._kept.transitions.change).max() < 0.05  # the engines agree [Nm]
