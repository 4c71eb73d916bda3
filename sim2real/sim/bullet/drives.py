"""What pushes the joints of simulations outside MuJoCo: delayed actuators, dampers, springs."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.sim import delay_line
from sim2real.sim.bullet.tree import scalar_joints
from sim2real.sim.effects import Effects
from sim2real.sim.servos import Law
from sim2real.sim.simulator import Array, Ids

_DISABLE = mujoco.mjtDisableBit


class Drives:
    """Forces at the joints of `nsim` simulations, by MuJoCo's formulas.

    All arrays lead with the simulation; the joints are the model's n hinges and slides.
    """

    def __init__(self, model: mujoco.MjModel, effects: Effects):
        self._effects = effects
        self._joints = scalar_joints(model)
        nsim, nu, n = len(effects.clock.step), model.nu, len(self._joints)
        self._driven = np.searchsorted(self._joints, model.actuator_trnid[:, 0])
        # force = gain u + bias0 + bias1 length + bias2 velocity, within the force range
        self._gain, self._bias = np.zeros((nsim, nu)), np.zeros((nsim, nu, 3))
        self._gear, self._lag = np.ones((nsim, nu)), np.zeros((nsim, nu))
        self._control, self._force = np.zeros((nsim, nu, 2)), np.zeros((nsim, nu, 2))
        self._joint_force = np.zeros((nsim, n, 2))
        self._damping, self._stiffness = np.zeros((nsim, n)), np.zeros((nsim, n))
        self._rest, self._armature = np.zeros((nsim, n)), np.zeros((nsim, n))
        self._timestep = np.zeros((nsim, 1))
        depth = int(model.actuator_history[:, 0].max(initial=0))
        self._history = np.zeros((nsim, depth + 1, nu))

    def take(self, sim: int, model: mujoco.MjModel) -> None:
        """Make simulation `sim` push as `model` says."""
        off = model.opt.disableflags
        on = 0.0 if off & _DISABLE.mjDSBL_ACTUATION else 1.0
        self._timestep[sim] = model.opt.timestep
        self._gain[sim] = on * model.actuator_gainprm[:, 0]
        self._bias[sim] = on * model.actuator_biasprm[:, :3]
        self._gear[sim] = model.actuator_gear[:, 0]
        clamp = model.actuator_ctrllimited * (not off & _DISABLE.mjDSBL_CLAMPCTRL)
        self._control[sim] = _limits(model.actuator_ctrlrange, clamp)
        self._force[sim] = _limits(model.actuator_forcerange, model.actuator_forcelimited)
        joints = self._joints
        dofs = model.jnt_dofadr[joints]
        self._joint_force[sim] = _limits(
            model.jnt_actfrcrange[joints], model.jnt_actfrclimited[joints]
        )
        self._damping[sim] = model.dof_damping[dofs] * (not off & _DISABLE.mjDSBL_DAMPER)
        self._stiffness[sim] = model.jnt_stiffness[joints] * (not off & _DISABLE.mjDSBL_SPRING)
        self._rest[sim] = model.qpos_spring[model.jnt_qposadr[joints]]
        self._armature[sim] = model.dof_armature[dofs]
        self._lag[sim] = model.actuator_delay / model.opt.timestep

    def reset(self, ids: Ids, command: Array) -> None:
        """Fill the delays of simulations `ids` (n,) with `command` (n, nu)."""
        self._history[ids] = command[:, None, :]

    def rotor(self, sim: int) -> Array:
        """Return the largest rotor inertia (n,) of a simulation's joints; -1 for a bare joint."""
        damping = self._damping[sim].copy()
        np.subtract.at(damping, self._driven, self._gear[sim] ** 2 * self._bias[sim, :, 2])
        inertia = self._armature[sim] + self._timestep[sim] * damping
        return np.where(inertia > 0.0, inertia, -1.0)

    def push(
        self, position: Array, velocity: Array, command: Array, jitter: Array | None = None
    ) -> tuple[Array, Array]:
        """Return the joints' forces (nsim, n) and rotor inertias (nsim, n) of a physics step.

        The inertia is the armature plus timestep × damping, which makes an explicit damping force
        implicit, as in MuJoCo's implicitfast integrator.

        Args:
            position: of the joints (nsim, n) [rad, m].
            velocity: of the joints (nsim, n) [rad/s, m/s].
            command: to the actuators (nsim, nu).
            jitter: how much longer than its actuator's delay a command takes [s], (nsim, nu).
        """
        length = self._gear * position[:, self._driven]
        rate = self._gear * velocity[:, self._driven]
        control = self._clip_control(self._delayed(command, jitter))
        law = self._effects.servos.act(
            Law(self._gain, self._bias, self._force[..., 0], self._force[..., 1]),
            control, length, rate, time=self._effects.clock.time, dt=self._timestep,
        )  # fmt: skip
        wanted, low, high = law.wanted(control, length, rate), law.low, law.high
        force = np.minimum(np.maximum(wanted, low), high)
        torque, damping = np.zeros_like(position), self._damping.copy()
        # a saturated actuator does not damp
        active = (wanted > low) & (wanted < high)
        for actuator, joint in enumerate(self._driven):
            gear = self._gear[:, actuator]
            torque[:, joint] += gear * force[:, actuator]
            damping[:, joint] -= gear**2 * law.bias[:, actuator, 2] * active[:, actuator]
        torque = np.minimum(
            np.maximum(torque, self._joint_force[..., 0]), self._joint_force[..., 1]
        )
        torque -= self._damping * velocity + self._stiffness * (position - self._rest)
        return torque, self._armature + self._timestep * damping

    def _clip_control(self, control: Array) -> Array:
        return np.minimum(np.maximum(control, self._control[..., 0]), self._control[..., 1])

    def _delayed(self, command: Array, jitter: Array | None) -> Array:
        if self._history.shape[1] == 1:
            return command
        delay_line.push(self._history, command)
        lag = self._lag if jitter is None else self._lag + jitter / self._timestep
        # a command reaches MuJoCo's history at the end of its step: no delay is shorter than one
        return delay_line.read(self._history, np.where(lag > 0.0, np.maximum(lag, 1.0), 0.0))


def _limits(bounds: Array, limited: NDArray[np.uint8]) -> Array:
    return np.where(limited[:, None] != 0, bounds, [-np.inf, np.inf])
