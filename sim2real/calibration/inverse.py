"""What torques a recorded motion took, and what the model's drives gave for its commands."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from sim2real.calibration.problem import Problem
from sim2real.sim.model import joint_addresses
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

_SMOOTH = 0.06
"""Width of the polynomial that gives accelerations [s]."""


@dataclass(frozen=True)
class Torques:
    """Of the joints over time, each (t, njoint) [Nm, N]."""

    needed: Array
    """What the motion took, beside friction and springs of the model."""
    given: Array
    """What the drives gave for the commands."""
    idle: Array
    """What they would have given for a command of 0."""
    command: Array
    """(t, ncommand), as it acted: with the model's delays."""


def inverse_dynamics(problem: Problem, log: Trajectory, parameters: Array, time: Array) -> Torques:
    """Return the torques in a log at evenly spaced times (t,) [s].

    Args:
        problem: the model.
        log: the motion and the commands.
        parameters: those that are written to the model (k,).
        time: when.
    """
    sim = problem.rollouts.simulator(1)
    problem.rollouts.parameters.write(sim, np.zeros(1, np.int32), parameters[None])
    model = sim.fields.get_model(0)
    qpos, dofs = joint_addresses(problem.robot, model)
    command = _commands(log, time, model)
    model.actuator_delay[:] = 0.0  # it is in the commands already
    data = mujoco.MjData(model)
    position, velocity, acceleration = _motion(log, time, problem.grid.hinge)
    needed, given, idle = (np.empty((len(time), len(dofs))) for _ in range(3))
    for row in range(len(time)):
        data.qpos[qpos], data.qvel[dofs] = position[row], velocity[row]
        data.qacc[dofs] = acceleration[row]
        mujoco.mj_inverse(model, data)
        needed[row] = data.qfrc_inverse[dofs]
        for signal, torque in ((0.0, idle), (command[row], given)):
            data.ctrl[:] = signal
            mujoco.mj_fwdActuation(model, data)
            torque[row] = data.qfrc_actuator[dofs]
    return Torques(needed, given, idle, command)


def smoothed(signal: Array, width: float, step: float) -> Array:
    """Return the mean of a signal (t, n) over `width` [s], sampled every `step` [s]."""
    n = max(3, round(width / step))
    return np.stack([np.convolve(each, np.ones(n) / n, "same") for each in signal.T], axis=1)


def _motion(log: Trajectory, time: Array, hinge: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    position = np.where(hinge, np.unwrap(log.position, axis=0), log.position)
    even = np.stack([np.interp(time, log.seconds, column) for column in position.T], axis=1)
    step = float(time[1] - time[0])
    width = 2 * max(2, round(_SMOOTH / step / 2)) + 1
    first, second, third = (
        np.asarray(savgol_filter(even, width, 3, deriv=order, delta=step, axis=0))
        for order in (0, 1, 2)
    )
    return first, second, third


def _commands(log: Trajectory, time: Array, model: mujoco.MjModel) -> Array:
    columns = []
    for actuator in range(model.nu):
        late = time - model.actuator_delay[actuator]
        stamps = log.time[0] + np.round(late * 1e9).astype(np.int64)
        columns.append(log.commands_at(stamps)[:, actuator])
    return np.stack(columns, axis=1)
