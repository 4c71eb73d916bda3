"""What would have to act beside a model for it to move as the robot did.

Positions and velocities of an arm are wrong at every joint when one joint's friction is: through
the inertia. The torque that is missing is missing where the model is wrong.
"""

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.sim.model import joint_addresses

Array = NDArray[np.float64]


def missing_acceleration(residual: Array, time: Array) -> Array:
    """Return the constant acceleration (..., njoint) that explains residuals best.

    An error of the start is left out: a line through the residuals of each joint.

    Args:
        residual: measured less predicted positions (..., nsample, njoint), nsample > 2.
        time: of the samples since the start (nsample,) [s].
    """
    basis = np.stack([np.ones_like(time), time, 0.5 * time**2], axis=1)
    weights = np.linalg.pinv(basis)[2]
    return np.einsum("t,...tj->...j", weights, residual)


def about_parabola(residual: Array) -> Array:
    """Return the typical variance of residuals (n, nsample, njoint) about a parabola, (njoint,).

    Of each of the `n` its own; the median over them, as that of the true variance: a χ²'s is below
    its mean (Wilson and Hilferty 1931).
    """
    n = residual.shape[1]
    if n < 5:
        return np.median(residual.var(axis=1), axis=0)
    basis = np.vander(np.linspace(-1.0, 1.0, n), 3)
    rest = residual - np.einsum("ts,nsj->ntj", basis @ np.linalg.pinv(basis), residual)
    variance = np.square(rest).sum(axis=1) / (n - 3)
    return np.median(variance, axis=0) / (1.0 - 2.0 / (9.0 * (n - 3))) ** 3


def inertia(robot: Robot, model: mujoco.MjModel, position: Array) -> Array:
    """Return the joints' inertia matrices (n, njoint, njoint) at positions (n, njoint)."""
    data = mujoco.MjData(model)
    qpos, dofs = joint_addresses(robot, model)
    full = np.zeros((model.nv, model.nv))
    matrices = np.empty((len(position), len(dofs), len(dofs)))
    for matrix, row in zip(matrices, position, strict=True):
        data.qpos[qpos] = row
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_crb(model, data)
        mujoco.mj_fullM(model, data, full)
        matrix[...] = full[np.ix_(dofs, dofs)]
    return matrices
