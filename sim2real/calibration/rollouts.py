"""Predicted positions of windows under many parameter values, in one batch of simulations."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Recipe
from sim2real.calibration.windows import Grid, Windows
from sim2real.errors import CalibrationError
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Robot
from sim2real.sim.model import compile_model, joint_addresses, substeps
from sim2real.sim.mujoco_batch import MujocoSimulator

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_LONGEST_DELAY = 2.0
"""Each physics step of a delay is held in memory, in each of thousands of simulations [s]."""
_MOST_NUMBERS = 30_000_000
"""Commands and recorded positions of one batch: about 250 MB."""


def calibration_model(robot: Robot, recipe: Recipe) -> mujoco.MjModel:
    """Return the robot's model, able to hold the longest delay that the recipe can fit."""
    delays = [
        (unknown.belief.bounds or unknown.prior.bounds(0.0))[1]
        for unknown in recipe.unknowns
        if unknown.parameter.startswith("actuator.") and unknown.parameter.endswith(".delay")
    ]
    longest = max(delays, default=0.0)
    if longest > _LONGEST_DELAY:
        raise CalibrationError(
            f"a delay of up to {longest:g} s: a fit looks for delays of at most"
            f" {_LONGEST_DELAY:g} s: narrow its prior or its bounds"
        )
    model = compile_model(robot, max_delay=longest)
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
    """Simulates windows of logs with parameters of the model, as many at once as memory allows."""

    def __init__(
        self, robot: Robot, model: mujoco.MjModel, parameters: ParameterSet, *, nthread: int
    ):
        if robot.base is not None:
            raise CalibrationError(
                f"robot {robot.name!r}: its base floats, and no sensor tells how fast: no window of"
                " a log has a known start: hang the robot up, and use a robot.toml without [base]"
            )
        self.parameters = parameters
        self.nthread = nthread
        self._robot, self._model = robot, model
        self._every = substeps(robot, model)
        self._qpos, self._qvel = joint_addresses(robot, model)
        self._sims: dict[int, MujocoSimulator] = {}

    def predict(self, windows: Windows, values: Array, offset: Array | None = None) -> Array:
        """Return predicted positions (m, n, nsample, ncompared).

        Args:
            windows: the `n` windows.
            values: parameters of each variant (m, k), or of each variant and window (m, n, k).
            offset: added to the initial positions and velocities, (m, n, 2 njoint).
        """
        return self.simulate(windows, values, offset)[0]

    def simulate(
        self, windows: Windows, values: Array, offset: Array | None = None
    ) -> tuple[Array, Array]:
        """Return predicted positions and velocities, each as `predict` returns positions."""
        m, n = len(values), len(windows)
        values = values[:, None] if values.ndim == 2 else values
        values = np.broadcast_to(values, (m, n, values.shape[-1])).reshape(m * n, -1)
        if offset is not None:
            offset = np.broadcast_to(offset, (m, n, offset.shape[-1])).reshape(m * n, -1)
        found = self.pairs(windows, np.tile(np.arange(n), m), values, offset)
        position, velocity = (signal.reshape(m, n, *signal.shape[1:]) for signal in found)
        return position, velocity

    def pairs(
        self, windows: Windows, rows: Rows, values: Array, offset: Array | None = None
    ) -> tuple[Array, Array]:
        """Return positions and velocities (c, nsample, ncompared) in chosen windows.

        Args:
            windows: the windows.
            rows: which of them to simulate, any of them as often as is wanted (c,).
            values: the parameters of each simulation (c, k).
            offset: added to the initial positions and velocities, (c, 2 njoint).
        """
        nstep = windows.command.shape[1]
        if offset is None:
            offset = np.zeros((len(rows), 2 * len(self._robot.joints)))
        size = max(1, _MOST_NUMBERS // max(1, nstep * (self._model.nq + self._model.nu)))
        parts = [
            self._chunk(windows, rows[part], values[part], offset[part])
            for part in (slice(i, i + size) for i in range(0, len(rows), size))
        ]
        position, velocity = (np.concatenate(signal) for signal in zip(*parts, strict=True))
        return position, velocity

    def _chunk(
        self, windows: Windows, rows: Rows, values: Array, offset: Array
    ) -> tuple[Array, Array]:
        njoint = len(self._robot.joints)
        sim = self.simulator(len(rows))
        ids = np.arange(len(rows), dtype=np.int32)
        self.parameters.write(sim, ids, values)
        sensors = sim.effects.sensors
        flaws = [sensors[name].parameters for name in ("position", "velocity")]
        bias, gain = ([each.value(flaw) for each in flaws] for flaw in ("bias", "gain"))
        late = flaws[0].get("delay")
        command = windows.command[rows]
        # both are told by measured positions
        velocity = (windows.velocity[rows] + offset[:, njoint:] - bias[1]) / gain[0]
        position = (windows.position[rows] + offset[:, :njoint] - bias[0]) / gain[0]
        if late is not None:
            position = position + velocity * late  # what is measured at the start is older
        sim.reset(ids, position, velocity, command[:, 0])
        self._fill_delays(sim, windows.before[rows])
        enabled = None if windows.enabled is None else windows.enabled[rows]
        recorded = sim.replay(command, ("qpos", "qvel"), enabled)
        moved, speed = recorded["qpos"][..., self._qpos], recorded["qvel"][..., self._qvel]
        if late is not None:
            lag = late / self._model.opt.timestep
            moved = _delayed(moved, lag, position, velocity * self._model.opt.timestep)
        at = slice(self._every - 1, None, self._every)
        signals = [
            gain[i][:, None] * signal[:, at] + bias[i][:, None]
            for i, signal in enumerate((moved, speed))
        ]
        chosen = slice(None) if windows.compared is None else list(windows.compared)
        return _tamed(signals[0][..., chosen]), _tamed(signals[1][..., chosen])

    def simulator(self, nsim: int) -> MujocoSimulator:
        """Return the simulator of so many simulations."""
        if nsim not in self._sims:
            self._sims[nsim] = MujocoSimulator(
                self._robot, nsim, nthread=self.nthread, model=self._model
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


def _tamed(signal: Array) -> Array:
    # a blown-up simulation must cost, not stop the fit
    return np.clip(np.nan_to_num(signal, nan=1e3), -1e3, 1e3)


def _delayed(signal: Array, lag: Array, start: Array, slope: Array) -> Array:
    """Return signals (c, n, m) as they were `lag` (c, m) samples ago, linear between samples.

    Before its first sample a signal went from `start`, one sample before it, with `slope` a sample.
    """
    n = signal.shape[1]
    at = np.arange(1, n + 1)[None, :, None] - lag[:, None]
    whole = np.clip(np.floor(at), 0, n - 1).astype(np.intp)
    path = np.concatenate([start[:, None], signal], axis=1)
    older = np.take_along_axis(path, whole, axis=1)
    newer = np.take_along_axis(path, whole + 1, axis=1)
    return np.where(
        at < 0, start[:, None] + slope[:, None] * at, older + (at - whole) * (newer - older)
    )
