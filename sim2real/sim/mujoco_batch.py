"""MuJoCo's batched simulation behind the Simulator interface."""

import copy
from typing import final

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.base import BaseState, base_addresses
from sim2real.sim.model import compile_model, joint_addresses, substeps
from sim2real.sim.sensors import Sensors
from sim2real.sim.simulator import Array, Ids, Simulator

_NONE, _VEL = mujoco.mjtStage.mjSTAGE_NONE.value, mujoco.mjtStage.mjSTAGE_VEL.value

_BAD = [
    int(getattr(mujoco.mjtWarning, f"mjWARN_BAD{what}"))
    for what in ("QPOS", "QVEL", "QACC", "CTRL")
]
_BAD_STATE = slice(min(_BAD), max(_BAD) + 1)


@final
class MujocoSimulator(Simulator):
    """Simulations on `mujoco.batch`: bit-identical at any number of threads."""

    def __init__(
        self, robot: Robot, nsim: int, *, nthread: int = 1, model: mujoco.MjModel | None = None
    ):
        _keep_warnings_out_of_files()
        self.robot = robot
        self.model = compile_model(robot) if model is None else model
        self.fields = mujoco.batch.Batch(_without_islands(self.model), nsim, nthread)
        self._initial = self.fields.state[0].copy()
        self._ctrl = self.fields.bind("ctrl")
        self.sensors = Sensors.perfect(nsim, len(robot.joints))
        self._substeps = substeps(robot, self.model)
        qpos, qvel = joint_addresses(robot, self.model)
        # views of the state where the joints are contiguous, which costs nothing in every step
        self._qpos, self._qvel = _slice_if_contiguous(qpos), _slice_if_contiguous(qvel)
        self._all_qpos, self._all_qvel = self.fields.bind("qpos"), self.fields.bind("qvel")
        self._base = base_addresses(robot, self.model)
        self._history = _History(self.model)
        self._blowups = self.fields.warning[:, _BAD_STATE, 1]  # a live view of the counters
        self._seen = self._blowups.copy()
        self._diverged = np.zeros(nsim, bool)
        self._tip = None if robot.tip is None else self.model.site(robot.tip).id
        self._stage = _NONE if self._tip is None else _VEL
        if self._tip is not None:
            self.fields.bind("site_xpos")
            self.fields.bind("site_xmat")

    @property
    def position(self) -> Array:  # noqa: D102
        return self._all_qpos[:, self._qpos]

    @property
    def velocity(self) -> Array:  # noqa: D102
        return self._all_qvel[:, self._qvel]

    @property
    def base(self) -> BaseState | None:  # noqa: D102
        if self._base is None:
            return None
        q, v = self._base
        return BaseState(
            position=self._all_qpos[:, q : q + 3],
            orientation=self._all_qpos[:, q + 3 : q + 7],
            linear_velocity=self._all_qvel[:, v : v + 3],
            angular_velocity=self._all_qvel[:, v + 3 : v + 6],
        )

    @property
    def tip(self) -> tuple[Array, Array]:  # noqa: D102
        if self._tip is None:
            raise RobotError(f"robot {self.robot.name!r} has no tip: name a site in robot.toml")
        xpos, xmat = self.fields.bind("site_xpos"), self.fields.bind("site_xmat")
        return xpos[:, self._tip], xmat[:, self._tip].reshape(-1, 3, 3)

    @property
    def diverged(self) -> NDArray[np.bool_]:  # noqa: D102
        return self._diverged

    def reset(  # noqa: D102
        self,
        ids: Ids,
        position: Array,
        velocity: Array,
        command: Array,
        base: BaseState | None = None,
    ) -> None:
        # what Batch.reset does, but that wakes its threads, which for a few rows takes longer
        self.fields.state[ids] = self._initial
        self._all_qpos[ids[:, None], np.arange(self.model.nq)[self._qpos]] = position
        self._all_qvel[ids[:, None], np.arange(self.model.nv)[self._qvel]] = velocity
        if self._base is not None:
            self._put_base(ids, base or BaseState.at_home(self.robot, len(ids)))
        self._ctrl[ids] = command
        self._history.fill(self.fields, ids, command)
        self._seen[ids] = self._blowups[ids]  # before forward: it counts an impossible start
        self._diverged[ids] = False
        if self._stage != _NONE:
            self.fields.forward(ids, self._stage)

    def _put_base(self, ids: Ids, base: BaseState) -> None:
        here = self.base
        assert here is not None  # the robot has one
        here.position[ids], here.orientation[ids] = base.position, base.orientation
        here.linear_velocity[ids] = base.linear_velocity
        here.angular_velocity[ids] = base.angular_velocity

    def step(self, command: Array) -> None:  # noqa: D102
        self._ctrl[...] = command
        self.fields.step(nstep=self._substeps, stage=self._stage)
        # a blown-up simulation raises nothing: MuJoCo starts it anew and counts a warning
        np.not_equal(self._blowups, self._seen).any(axis=1, out=self._diverged)
        if self._diverged.any():
            self._seen[...] = self._blowups


class _History:
    """The delay buffers of the actuators: MuJoCo's reset leaves them at command 0."""

    def __init__(self, model: mujoco.MjModel):
        self._samples = [int(model.actuator_history[i, 0]) for i in range(model.nu)]
        self._address = [int(model.actuator_historyadr[i]) for i in range(model.nu)]

    def fill(self, batch: mujoco.batch.Batch, ids: Ids, command: Array) -> None:
        """Write `command` (n, nu) as what each actuator was told before the start."""
        history = batch.bind("history")
        for actuator, (nsample, address) in enumerate(
            zip(self._samples, self._address, strict=True)
        ):
            if nsample:  # layout: user slot, cursor, times, values
                values = address + 2 + nsample
                history[ids, values : values + nsample] = command[:, actuator, None]


def _without_islands(model: mujoco.MjModel) -> mujoco.MjModel:
    """Return the model that is simulated: the same numbers, bit for bit.

    A single kinematic tree is a single constraint island; looking for it takes a tenth of a step.
    """
    model = copy.copy(model)
    if model.ntree == 1:
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND.value
    return model


def _slice_if_contiguous(index: np.ndarray) -> slice | np.ndarray:
    """Return a slice where one will do: views instead of copies, every step."""
    start = int(index[0])
    contiguous = np.array_equal(index, np.arange(start, start + len(index)))
    return slice(start, start + len(index)) if contiguous else index


def _keep_warnings_out_of_files() -> None:
    """Unless the caller has a handler, MuJoCo writes each blow-up to MUJOCO_LOG.TXT where one is.

    `diverged` tells of them instead.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(lambda message: None)
