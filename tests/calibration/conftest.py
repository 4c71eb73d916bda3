"""A synthetic twin: the pendulum with planted parameters, recorded as a real one would be."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim2real.calibration.recipe import Cut, Parameter, Recipe
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory

PRIORS: dict[str, dict[str, Any]] = {
    "body.bob.mass": {"scale": [0.5, 1.5]},
    "joint.pivot.damping": {"set": {"log_uniform": [0.01, 0.2]}},
    "joint.pivot.frictionloss": {"set": [0.0, 0.3]},
    "actuator.pivot.delay": {"set": [0.0, 0.03]},
    "actuator.pivot.gain": {"scale": [0.8, 1.2]},
}
ONE = np.zeros(1, np.int32)


@pytest.fixture(scope="session")
def pendulum() -> Robot:
    return find_robot("pendulum")


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """Return a recipe of some of PRIORS, or of others given as keywords."""

    def make(*names: str, priors: dict[str, Any] | None = None, **fields: Any) -> Recipe:
        chosen = {name: PRIORS[name] for name in names} | (priors or {})
        given: dict[str, Any] = {
            "windows": Cut(),
            "avoid": {"pivot": ((2.34, 3.94),)},
            **fields,
        }
        parameters = {name: Parameter(prior=prior) for name, prior in chosen.items()}
        return Recipe(robot="pendulum", parameters=parameters, **given)

    return make


@pytest.fixture(scope="session")
def record(pendulum: Robot) -> Callable[..., Trajectory]:
    """Return a recording of a pendulum with planted parameters under a multisine torque."""

    def run(
        planted: dict[str, float], *, seed: int = 0, seconds: float = 12.0, amplitude: float = 1.4
    ) -> Trajectory:
        rng = np.random.default_rng(seed)
        model = compile_model(pendulum, max_delay=0.04)
        sim = MujocoSimulator(pendulum, 1, model=model)
        parameters = ParameterSet(model, ("pivot",), tuple(planted))
        parameters.write(sim, ONE, np.array([list(planted.values())]))
        command = amplitude * _multisine(rng, round(seconds * 100))
        zero = np.zeros((1, 1))
        sim.reset(ONE, zero, zero, zero)
        position, velocity = np.empty_like(command), np.empty_like(command)
        for row, u in enumerate(command):
            position[row], velocity[row] = sim.position[0], sim.velocity[0]
            sim.step(u[None])
        return Trajectory(
            joints=("pivot",),
            driven=("pivot",),
            time=np.arange(len(command), dtype=np.int64) * 10_000_000,
            position=position,
            velocity=velocity,
            command=command,
            source=f"twin-{seed}",
        )

    return run


@pytest.fixture(scope="session")
def noisy() -> Callable[..., Trajectory]:
    """Return a trajectory as an encoder of 2.9 mrad and a noisy tachometer report it."""

    def measure(log: Trajectory, seed: int = 0, noise: float = 0.002) -> Trajectory:
        rng = np.random.default_rng((seed, 1))
        position = log.position + noise * rng.standard_normal(log.position.shape)
        velocity = log.velocity + 0.05 * rng.standard_normal(log.velocity.shape)
        return replace(log, position=np.round(position / 2.9e-3) * 2.9e-3, velocity=velocity)

    return measure


def _multisine(rng: np.random.Generator, rows: int) -> np.ndarray:
    time = np.arange(rows)[:, None] * 0.01
    waves = np.sin(2 * np.pi * rng.uniform(0.3, 2.0, 8) * time + rng.uniform(0, 2 * np.pi, 8))
    signal = waves.sum(axis=1, keepdims=True)
    return signal / np.abs(signal).max()
