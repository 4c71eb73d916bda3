"""Synthetic twins: many robots with planted parameters at once, recorded as real ones would be."""

from collections.abc import Sequence

import numpy as np

from sim2real.deploy.excitation import Excitation
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory


def record(  # noqa: PLR0913 - what a robot is, and what happens to it
    robot: Robot,
    names: Sequence[str],
    values: np.ndarray,
    *,
    seconds: float,
    seed: int,
    noise: float = 1e-3,
    pushes: np.ndarray | None = None,
    enabled: np.ndarray | None = None,
) -> list[Trajectory]:
    """Return a log of each of `m` robots, each under an excitation of its own.

    Args:
        robot: the nominal one.
        names: what is planted, delays of encoders and drives among it.
        values: (m, k).
        seconds: length of the logs.
        seed: of excitations, of starts and of noise.
        noise: of the encoders [rad].
        pushes: torque of a hand on the first joint in each control step (m, t) [Nm].
        enabled: whether the drives are on in each control step (t,); by default throughout.
    """
    m, rng = len(values), np.random.default_rng(seed)
    model = compile_model(robot, max_delay=0.1)
    sim = MujocoSimulator(robot, m, model=model)
    ids = np.arange(m, dtype=np.int32)
    ParameterSet(model, tuple(robot.joints), tuple(names)).write(sim, ids, values)
    command = np.stack(
        [
            Excitation(robot, seconds=seconds, seed=1000 * seed + i, amplitude=0.6).signal
            for i in range(m)
        ]
    )
    home = np.tile([joint.home for joint in robot.joints.values()], (m, 1))
    sim.reset(ids, home, np.zeros_like(home), command[:, 0])
    applied = sim.fields.bind("qfrc_applied")
    limits = sim.fields.expand("actuator_forcerange")
    full = limits.copy()
    position, velocity = np.empty((2, m, command.shape[1], len(robot.joints)))
    for row in range(command.shape[1]):
        measured = sim.measure()
        position[:, row], velocity[:, row] = measured.position, measured.velocity
        if pushes is not None:
            applied[:, 0] = pushes[:, row]
        if enabled is not None:
            limits[...] = full * enabled[row]
        sim.step(command[:, row])
    position += noise * rng.standard_normal(position.shape)
    stamps = np.round(np.arange(command.shape[1]) * 1e9 / robot.control_hz).astype(np.int64)
    return [
        Trajectory(
            joints=tuple(robot.joints),
            driven=robot.driven,
            time=stamps,
            position=position[i],
            velocity=velocity[i],
            command=command[i],
            enabled=enabled,
            source=f"twin-{seed}-{i}.csv",
        )
        for i in range(m)
    ]
