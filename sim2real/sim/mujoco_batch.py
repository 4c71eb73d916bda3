"""MuJoCo's batched simulation behind the Simulator interface."""

import contextlib
import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import final

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.base import BaseState, base_addresses
from sim2real.sim.effects import Effects
from sim2real.sim.model import compile_model, joint_addresses, substeps
from sim2real.sim.mujoco_effects import History, MujocoEffects
from sim2real.sim.simulator import Array, Ids, Simulator

_NONE, _VEL = mujoco.mjtStage.mjSTAGE_NONE.value, mujoco.mjtStage.mjSTAGE_VEL.value
_ACC = mujoco.mjtStage.mjSTAGE_ACC.value

_BAD = [
    int(getattr(mujoco.mjtWarning, f"mjWARN_BAD{what}"))
    for what in ("QPOS", "QVEL", "QACC", "CTRL")
]
_BAD_STATE = slice(min(_BAD), max(_BAD) + 1)


Residual = Callable[[Array, Array, Array], Array]
"""Joint positions, velocities (n, njoint) and commands (n, ncommand) → forces (n, njoint)."""


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
        self.effects = Effects(robot, nsim, self.model.nbody)
        self._substeps = substeps(robot, self.model)
        qpos, qvel = joint_addresses(robot, self.model)
        self._addresses = np.asarray(qpos), np.asarray(qvel)
        # views of the state where the joints are contiguous, which costs nothing in every step
        self._qpos, self._qvel = _slice_if_contiguous(qpos), _slice_if_contiguous(qvel)
        self._all_qpos, self._all_qvel = self.fields.bind("qpos"), self.fields.bind("qvel")
        self._joint_dofs = qvel
        self._base = base_addresses(robot, self.model)
        self._history = History(self.model)
        self._hook = MujocoEffects(self.model, self.fields, self.effects)
        self._blowups = self.fields.warning[:, _BAD_STATE, 1]  # a live view of the counters
        self._diverged = np.zeros(nsim, bool)
        self._tip = None if robot.tip is None else self.model.site(robot.tip).id
        self._stage, self._tells_tip = _NONE, False
        self.residual: Residual | None = None
        """What acts at the joints beside the model, for each control step."""

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
        if not self._tells_tip:  # who asks once will ask again: from now on each step ends there
            self._tells_tip, self._stage = True, _VEL
            self.fields.forward(stage=_VEL)
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
        rows = ids[:, None]
        self._all_qpos[rows, self._addresses[0]] = position
        self._all_qvel[rows, self._addresses[1]] = velocity
        if self._base is not None:
            self._put_base(ids, base or BaseState.at_home(self.robot, len(ids)))
        self._ctrl[ids] = command
        self._history.fill(self.fields.bind("history"), ids, command)
        self._blowups[ids] = 0  # before forward: it counts an impossible start
        self._diverged[ids] = False
        if self.effects.friction.loaded:
            self._hook.watched_load()
            self._stage = _VEL  # whether or not somebody asks for the tip: the load is the same
            self.fields.forward(ids, _ACC)  # the first step needs the load at the start
            self._hook.note_load(self._joint_dofs, ids)
        elif self._stage != _NONE:
            self.fields.forward(ids, self._stage)
        self.effects.reset(ids, self.truth, command)

    def _put_base(self, ids: Ids, base: BaseState) -> None:
        here = self.base
        assert here is not None  # the robot has one
        here.position[ids], here.orientation[ids] = base.position, base.orientation
        here.linear_velocity[ids] = base.linear_velocity
        here.angular_velocity[ids] = base.angular_velocity

    def update(self, ids: Ids) -> None:  # noqa: D102
        pass  # every call of the batch takes its fields; delay buffers fill at any delay

    def step(self, command: Array) -> None:  # noqa: D102
        if self.residual is not None:
            applied = self.fields.bind("qfrc_applied")
            applied[:, self._joint_dofs] = self.residual(self.position, self.velocity, command)
        self._ctrl[...] = self.effects.commands.send(command, self.effects.clock)
        if self.effects.within_step:
            self._hook.step(self._substeps, self._advance, self._joint_dofs)
        else:
            self._advance(self._substeps, True)
        # a blown-up simulation raises nothing: MuJoCo starts it anew, clears its warnings and then
        # counts one: left alone, the counter would stand at 1 the second time, too
        self._diverged[...] = False
        if self._blowups.any():
            self._blowups.any(axis=1, out=self._diverged)
            self._blowups[self._diverged] = 0
        self.effects.advance(self.truth)

    def replay(
        self, command: Array, record: Sequence[str], enabled: NDArray[np.bool_] | None = None
    ) -> dict[str, Array]:
        """Advance by `n` physics steps with a command for each, and return what they recorded.

        What is drawn, and what changes once a control step, stays as it is: the clock stands still.

        Args:
            command: (nsim, n, nu).
            record: fields of MjData, each returned as (nsim, n, ...).
            enabled: whether the drives are on (nsim, n); by default throughout.
        """
        if enabled is None or enabled.all():
            return self._replayed(command, record)
        with self._kept("actuator_forcerange") as limits:
            full, parts = limits.copy(), []
            for part in _constant_stretches(enabled):
                limits[...] = full * enabled[:, part.start, None, None]
                parts.append(self._replayed(command[:, part], record))
                limits[...] = full
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in record}

    def _replayed(self, command: Array, record: Sequence[str]) -> dict[str, Array]:
        if not self.effects.within_step:
            return self.fields.rollout(command.shape[1], command, record=record)
        bound = {name: self.fields.bind(name) for name in record}
        nstep = command.shape[1]
        recorded = {name: np.empty((self.nsim, nstep, *a.shape[1:])) for name, a in bound.items()}
        row = 0

        def advance(n: int, last: bool) -> None:
            nonlocal row
            self.fields.step(nstep=n)
            for name, array in bound.items():
                recorded[name][:, row] = array
            row += 1
            if row < nstep:
                self._ctrl[...] = command[:, row]

        self._ctrl[...] = command[:, 0]
        self._hook.step(nstep, advance, self._joint_dofs, chunk=1)
        return recorded

    @contextlib.contextmanager
    def _kept(self, field: str) -> Iterator[Array]:
        """Let a field be written to, and put it back."""
        array = self.fields.expand(field)
        before = array.copy()
        try:
            yield array
        finally:
            array[...] = before

    def _advance(self, nstep: int, last: bool) -> None:
        self.fields.step(nstep=nstep, stage=self._stage if last else _NONE)


def _constant_stretches(enabled: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of columns of `enabled` (nsim, n) that are alike."""
    changes = np.flatnonzero((enabled[:, 1:] != enabled[:, :-1]).any(axis=0)) + 1
    edges = [0, *changes.tolist(), enabled.shape[1]]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


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
