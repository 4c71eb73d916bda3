"""Which force beside a model's own a transition needs: by simulating it from where it began."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.gap.missing_torque import inertia
from sim2real.gap.transitions import Transitions
from sim2real.robot import Robot
from sim2real.sim.model import joint_addresses
from sim2real.sim.mujoco_batch import MujocoSimulator

Array = NDArray[np.float64]

_TOGETHER = 256
_TURNS = 6


@final
class MissingForce:
    """Inverse dynamics of a robot's transitions over one control step, contacts included."""

    def __init__(self, robot: Robot):
        self._robot = robot
        self._sim = MujocoSimulator(robot, _TOGETHER)
        model, step = self._sim.model, 1.0 / robot.control_hz
        dofs = joint_addresses(robot, model)[1]
        stiffness = model.jnt_stiffness[model.dof_jntid[dofs]]
        # what a velocity meets within the step, and the angle that it makes, to the first order
        self._yields = np.diag(model.dof_damping[dofs] * step / 2 + stiffness * step**2 / 6)

    def of(self, transitions: Transitions) -> Array:
        """Return the generalized force at each joint (n, njoint) that is missing in the model.

        It is constant over the control step, and such that the simulation ends with the velocity
        that was measured. Each turn adds what is still missing, through the inertia matrix, and
        half as much where that led away, as at a contact; what came closest is returned.

        Args:
            transitions: (position, velocity), command, and their change, as `MotionReader` has
                them.
        """
        parts = range(0, len(transitions), _TOGETHER)
        return np.concatenate([self._of_few(transitions[i : i + _TOGETHER]) for i in parts])

    def _of_few(self, transitions: Transitions) -> Array:
        n, hz = len(transitions), self._robot.control_hz
        state, change = transitions.state.astype(float), transitions.change.astype(float)
        wanted = np.split(state + change, 2, axis=1)[1]
        position = np.split(state, 2, axis=1)[0]
        M = inertia(self._robot, self._sim.model, position) + self._yields
        best, towards = np.zeros_like(wanted), np.zeros_like(wanted)
        least, pace = np.full(n, np.inf), np.ones(n)
        for _ in range(_TURNS):
            force = best + pace[:, None] * towards
            missing = wanted - self._simulated(transitions, force)
            needed = hz * np.einsum("nij,nj->ni", M, missing)
            size = np.einsum("ni,ni->n", missing, needed)  # of the kinetic energy
            closer = size < least
            least, pace = np.where(closer, size, least), np.where(closer, 1.0, pace / 2.0)
            best = np.where(closer[:, None], force, best)
            towards = np.where(closer[:, None], needed, towards)
        return best

    def _simulated(self, transitions: Transitions, force: Array) -> Array:
        """Return the velocities (n, njoint) at which the simulation ends under `force`."""
        n, sim = len(transitions), self._sim
        full = {
            name: _filled(getattr(transitions, name).astype(float)) for name in ("state", "action")
        }
        position, velocity = np.split(full["state"], 2, axis=1)
        sim.reset(np.arange(_TOGETHER, dtype=np.int32), position, velocity, full["action"])
        held = _filled(force)
        sim.residual = lambda position, velocity, command: held
        sim.step(full["action"])
        return np.where(sim.diverged[:n, None], np.nan, sim.velocity[:n])


def _filled(rows: Array) -> Array:
    """Return rows (n, d) with copies of the last up to the number of simulations."""
    return np.concatenate([rows, np.repeat(rows[-1:], _TOGETHER - len(rows), axis=0)])
