"""Draws docs/images/log.png: what `sim2real log --picture` shows of a simulated log with faults.

python docs/log_picture.py
"""

import dataclasses
from pathlib import Path

import numpy as np

from sim2real.calibration.survey import survey
from sim2real.evaluation.drawing import png
from sim2real.evaluation.log_picture import pictures
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory

PICTURE = Path(__file__).parent / "images" / "log.png"


def main() -> None:
    """Simulate, plant the faults, draw."""
    robot = find_robot("double_pendulum")
    log = with_faults(simulated(robot, seconds=12.0, seed=0))
    PICTURE.write_bytes(png(pictures(log, survey(log, robot), robot), log.source))


def simulated(robot: Robot, *, seconds: float, seed: int) -> Trajectory:
    """Return what the nominal robot does under random sines, with an encoder's noise."""
    rng = np.random.default_rng(seed)
    count, nu = round(seconds * robot.control_hz), len(robot.driven)
    time = np.arange(count)[:, None] / robot.control_hz
    waves = np.sin(
        2 * np.pi * rng.uniform(0.3, 1.0, (5, 1, nu)) * time + rng.uniform(0, 6, (5, 1, nu))
    )
    command = np.clip(0.45 * waves.sum(axis=0), -2.0, 2.0)
    sim, start = MujocoSimulator(robot, 1), np.zeros((1, nu))
    sim.reset(np.zeros(1, np.int32), start, start, command[:1])
    position, velocity = np.empty((2, count, nu))
    for row in range(count):
        position[row], velocity[row] = sim.position[0], sim.velocity[0]
        sim.step(command[row : row + 1])
    return Trajectory(
        joints=tuple(robot.joints),
        driven=robot.driven,
        time=np.round(time[:, 0] * 1e9).astype(np.int64) + rng.integers(0, 400_000, count),
        position=position + 4e-4 * rng.standard_normal(position.shape),
        velocity=velocity + 0.05 * rng.standard_normal(velocity.shape),
        command=command,
        torque=0.95 * command + 0.05 * rng.standard_normal(command.shape),
        source="a simulated double pendulum: rows lost at 3 s, a frozen encoder at 8 s",
    )


def with_faults(log: Trajectory) -> Trajectory:
    """Return the log without rows from 3 s to 3.4 s, the elbow's encoder frozen for 0.4 s."""
    position = log.position.copy()
    frozen = (log.seconds >= 8.0) & (log.seconds < 8.4)
    position[frozen, 1] = position[frozen, 1][0]
    kept = (log.seconds < 3.0) | (log.seconds > 3.4)
    rows = {"time": log.time, "position": position, "velocity": log.velocity,
            "command": log.command, "torque": log.torque}  # fmt: skip
    return dataclasses.replace(
        log, **{name: values[kept] for name, values in rows.items() if values is not None}
    )


if __name__ == "__main__":
    main()
