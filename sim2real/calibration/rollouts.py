"""Predicted positions of all windows under many parameter values, in one batch of simulations."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Recipe
from sim2real.calibration.windows import Grid, Windows
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.sim.model import compile_model, joint_addresses, substeps
from sim2real.sim.mujoco_batch import MujocoSimulator

Array = NDArray[np.float64]

_MOST_NUMBERS = 30_000_000
"""Commands and recorded positions of one batch: about 250 MB."""


def calibration_model(robot: Robot, recipe: Recipe) -> mujoco.MjModel:
    """Return the robot's model, able to hold the longest delay that the recipe can fit."""
    delays = [
        (recipe.parameters[name].bounds or prior.bounds(0.0))[1]
        for name, prior in recipe.priors.items()
        if name.endswith(".delay")
    ]
    model = compile_model(robot, max_delay=max(delays, default=0.0))
    if recipe.commands == "measured":
        model.actuator_forcelimited[:] = 0  # what acted was below the limit already
        model.jnt_actfrclimited[:] = 0
    return model


def grid_of(robot: Robot, model: mujoco.MjModel) -> Grid:
    """Return the grid on which the model is compared with logs: once a control step."""
    joints = [model.joint(name) for name in robot.joints]
    return Grid(
        timestep=model.opt.timestep,
        every=substeps(robot, model),
        history=int(model.actuator_history[:, 0].max(initial=0)),
        hinge=np.array([joint.type[0] == mujoco.mjtJoint.mjJNT_HINGE for joint in joints]),
    )


class Rollouts:
    """Simulates `m` variants of each of `n` windows, all in one rollout if memory allows."""

    def __init__(
        self, robot: Robot, model: mujoco.MjModel, parameters: ParameterSet, *, nthread: int
    ):
        self._robot, self._model, self._nthread = robot, model, nthread
        self._parameters = parameters
        self._every = substeps(robot, model)
        self._qpos, self._qvel = joint_addresses(robot, model)
        self._sims: dict[int, MujocoSimulator] = {}

    def predict(self, windows: Windows, values: Array, offset: Array | None = None) -> Array:
        """Return predicted positions (m, n, nsample, njoint).

        Args:
            windows: the `n` windows.
            values: parameters of each variant (m, p).
            offset: added to the initial positions and velocities, (m, n, 2 njoint).
        """
        return self._simulate(windows, values, offset, ("qpos",))[0]

    def simulate(
        self, windows: Windows, values: Array, offset: Array | None = None
    ) -> tuple[Array, Array]:
        """Return predicted positions and velocities, each as `predict` returns positions."""
        position, velocity = self._simulate(windows, values, offset, ("qpos", "qvel"))
        return position, velocity

    def _simulate(
        self, windows: Windows, values: Array, offset: Array | None, record: tuple[str, ...]
    ) -> list[Array]:
        n, nstep = windows.command.shape[:2]
        offset = (
            np.zeros((len(values), n, 2 * len(self._robot.joints))) if offset is None else offset
        )
        size = max(1, _MOST_NUMBERS // max(1, n * nstep * (self._model.nq + self._model.nu)))
        chunks = (slice(i, i + size) for i in range(0, len(values), size))
        parts = [self._chunk(windows, values[part], offset[part], record) for part in chunks]
        return [np.concatenate(signal) for signal in zip(*parts, strict=True)]

    def _chunk(
        self, windows: Windows, values: Array, offset: Array, record: tuple[str, ...]
    ) -> list[Array]:
        m, n, njoint = len(values), len(windows), len(self._robot.joints)
        sim = self._sim(m * n)
        ids = np.arange(m * n, dtype=np.int32)
        self._parameters.write(sim, ids, np.repeat(values, n, axis=0))
        sensors = sim.effects.sensors
        bias = {
            "qpos": sensors["position"].parameters.value("bias"),
            "qvel": sensors["velocity"].parameters.value("bias"),
        }
        columns = {"qpos": self._qpos, "qvel": self._qvel}
        position = (windows.position + offset[..., :njoint]).reshape(m * n, njoint) - bias["qpos"]
        velocity = (windows.velocity + offset[..., njoint:]).reshape(m * n, njoint)
        command = np.tile(windows.command, (m, 1, 1))
        sim.reset(ids, position, velocity, command[:, 0])
        self._fill_delays(sim, np.tile(windows.before, (m, 1, 1)))
        recorded = sim.fields.rollout(command.shape[1], command, record=record)
        parts = []
        for name in record:
            signal = recorded[name][:, self._every - 1 :: self._every, columns[name]]
            # a blown-up simulation must cost, not stop the fit
            signal = np.clip(np.nan_to_num(signal + bias[name][:, None], nan=1e3), -1e3, 1e3)
            parts.append(signal.reshape(m, n, *signal.shape[1:]))
        return parts

    def _sim(self, nsim: int) -> MujocoSimulator:
        if nsim not in self._sims:
            self._sims[nsim] = MujocoSimulator(
                self._robot, nsim, nthread=self._nthread, model=self._model
            )
        return self._sims[nsim]

    def _fill_delays(self, sim: MujocoSimulator, before: Array) -> None:
        """Write the commands before the start (nsim, history, nu) into the delay buffers.

        After a reset a buffer holds the steps before time 0, oldest first: user slot, cursor,
        times, values.
        """
        history = sim.fields.bind("history")
        for actuator in range(self._model.nu):
            nsample = int(self._model.actuator_history[actuator, 0])
            if nsample:
                values = int(self._model.actuator_historyadr[actuator]) + 2 + nsample
                history[:, values : values + nsample] = before[:, -nsample:, actuator]
