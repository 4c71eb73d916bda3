"""Twins whose true parameters are far from the nominal ones, and their logs, read wrong."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory


@pytest.fixture(scope="session")
def robots() -> dict[str, Robot]:
    return {name: find_robot(name) for name in ("pendulum", "double_pendulum", "so101")}


@pytest.fixture(scope="session")
def twin(robots) -> Callable[..., Trajectory]:
    """Return a log of a robot under multisines, noisy, its parameters not the nominal ones."""
    made: dict[tuple, Trajectory] = {}

    def make(name: str, *, seconds: float = 10.0, seed: int = 0) -> Trajectory:
        key = (name, seconds, seed)
        if key not in made:
            made[key] = _simulate(robots[name], seconds, np.random.default_rng((seed, 5)))
        return made[key]

    return make


def _simulate(robot: Robot, seconds: float, rng: np.random.Generator) -> Trajectory:
    model = compile_model(robot)
    model.body_mass *= rng.uniform(0.6, 1.6, model.nbody)  # far from nominal
    model.body_inertia *= rng.uniform(0.6, 1.6, (model.nbody, 1))
    model.dof_frictionloss += 0.02
    sim = MujocoSimulator(robot, 1, model=model)
    count = round(seconds * robot.control_hz)
    command = _multisines(robot, count, rng)
    start = np.zeros((1, len(robot.joints)))
    sim.reset(np.zeros(1, np.int32), start, start, command[:1])
    position, velocity = np.empty((2, count, len(robot.joints)))
    for row in range(count):
        position[row], velocity[row] = sim.position[0], sim.velocity[0]
        sim.step(command[row : row + 1])
    step = round(1e9 / robot.control_hz)
    return Trajectory(
        joints=tuple(robot.joints),
        driven=robot.driven,
        time=np.arange(count, dtype=np.int64) * step,
        position=position + 1e-3 * rng.standard_normal(position.shape),
        velocity=velocity + 0.02 * rng.standard_normal(velocity.shape),
        command=command,
        source=robot.name,
    )


def _multisines(robot: Robot, count: int, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(count)[:, None] / robot.control_hz
    columns = []
    for name in robot.driven:
        joint = robot.joints[name]
        size = 0.6 * joint.limits.torque if joint.mode == "torque" else 0.4
        waves = np.sin(2 * np.pi * rng.uniform(0.2, 1.2, 6) * time + rng.uniform(0, 6.28, 6))
        columns.append(size * waves.sum(axis=1) / np.abs(waves.sum(axis=1)).max())
    return np.stack(columns, axis=1)


@pytest.fixture(scope="session")
def measured_by() -> Callable[..., Trajectory]:
    """Return the log with its measurements times factors (njoint,), or in another order."""

    def change(log: Trajectory, factors=1.0, order=None) -> Trajectory:
        chosen = slice(None) if order is None else order
        return replace(
            log,
            position=(log.position * factors)[:, chosen],
            velocity=(log.velocity * factors)[:, chosen],
        )

    return change
