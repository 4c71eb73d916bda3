"""A synthetic twin: a robot with planted parameters, recorded under an excitation."""

import numpy as np

from sim2real.deploy.excitation import Excitation
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory

ALONE = np.zeros(1, np.int32)


def record(
    robot: Robot,
    planted: dict[str, float],
    *,
    seconds: float = 30.0,
    seed: int = 0,
    noise: float = 1e-3,
    velocity_noise: float = 0.0,
) -> Trajectory:
    """Return a recording of a robot with planted parameters, as noisy sensors report it."""
    model = compile_model(robot, max_delay=0.1)
    sim = MujocoSimulator(robot, 1, model=model)
    if planted:
        parameters = ParameterSet(model, tuple(robot.joints), tuple(planted))
        parameters.write(sim, ALONE, np.array([list(planted.values())]))
    commands = Excitation(robot, seconds=seconds, seed=seed, amplitude=0.6).signal
    home = np.array([[joint.home for joint in robot.joints.values()]])
    sim.reset(ALONE, home, np.zeros_like(home), np.zeros_like(commands[:1]))
    position, velocity = [], []
    for command in commands:
        position.append(sim.position[0].copy())
        velocity.append(sim.velocity[0].copy())
        sim.step(command[None])
    rng = np.random.default_rng((seed, 1))
    stamps = np.round(np.arange(len(commands)) * 1e9 / robot.control_hz)
    return Trajectory(
        joints=tuple(robot.joints),
        driven=robot.driven,
        time=stamps.astype(np.int64),
        position=np.array(position) + noise * rng.standard_normal(np.shape(position)),
        velocity=np.array(velocity) + velocity_noise * rng.standard_normal(np.shape(velocity)),
        command=commands,
        source=f"twin-{seed}.csv",
    )
