"""Effects on a `mujoco.batch`: fields that differ during a control step, and are put back after it.

So fields always hold what was written to them, and nothing accumulates.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from sim2real.sim.effects import Effects
from sim2real.sim.friction import transmitted
from sim2real.sim.servos import Law

Array = NDArray[np.float64]

_SERVO = ("actuator_gainprm", "actuator_biasprm", "actuator_forcerange")


class MujocoEffects:
    """The one hook before physics steps; used only where an effect is."""

    def __init__(self, model: mujoco.MjModel, batch: mujoco.batch.Batch, effects: Effects):
        self._model, self._batch, self._effects = model, batch, effects
        joint = model.actuator_trnid[:, 0]
        self._qpos, self._qvel = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
        self._history = History(model)
        is_dcmotor = model.actuator_gaintype == mujoco.mjtGain.mjGAIN_DCMOTOR.value
        self._affine, self._dcmotors = np.flatnonzero(~is_dcmotor), np.flatnonzero(is_dcmotor)
        position = mujoco.mjtCtrlInput.mjINPUT_POS.value
        self._dc_servo = model.actuator_ctrlspec[self._dcmotors] == position

    def step(
        self,
        nstep: int,
        advance: Callable[[int, bool], None],
        dof: NDArray[np.int32],
        *,
        chunk: int | None = None,
    ) -> None:
        """Advance by a control step of `nstep` physics steps, with the effects.

        Args:
            nstep: physics steps.
            advance: takes a number of physics steps, and whether they are the control step's last.
            dof: where the robot's joints stand in qvel, (njoint,).
            chunk: physics steps to take at once; by default as many as the effects allow.
        """
        if chunk is None:
            chunk = 1 if self._effects.every_physics_step else nstep
        with self._put_back() as base, self._pushed():
            self._vary_delays(base)
            for done in range(chunk, nstep + 1, chunk):
                self._drive(base, chunk)
                self._stick(base, dof)
                advance(chunk, done == nstep)
                if self._effects.friction.loaded:
                    self.note_load(dof)

    def note_load(self, dof: NDArray[np.int32], rows: Any = slice(None)) -> None:
        """Remember what the joints' gears carry in simulations `rows`: the next step needs it."""
        load = transmitted(*(array[:, dof] for array in self.watched_load()))
        self._effects.friction.memory.setdefault("load", np.zeros_like(load))[rows] = load[rows]

    def watched_load(self) -> tuple[Array, Array]:
        """Return the torques of motors and bias (nsim, nv), which the batch fills from now on."""
        return self._batch.bind("qfrc_actuator"), self._batch.bind("qfrc_bias")

    @contextlib.contextmanager
    def _put_back(self) -> Iterator[dict[str, Array]]:
        names = {
            _SERVO: self._effects.servos.parameters.uses(),
            ("dof_frictionloss",): self._effects.friction.used,
            ("actuator_delay",): self._effects.commands.parameters.uses("delay_jitter"),
        }
        used = [name for group, is_used in names.items() if is_used for name in group]
        base = {name: self._batch.expand(name).copy() for name in used}
        try:
            yield base
        finally:
            for name, array in base.items():
                self._batch.expand(name)[...] = array

    @contextlib.contextmanager
    def _pushed(self) -> Iterator[None]:
        if not self._effects.pushes.used:
            yield
            return
        applied = self._batch.bind("xfrc_applied")
        before = applied.copy()
        applied += self._effects.pushes.wrench(self._effects.clock)
        try:
            yield
        finally:
            applied[...] = before

    def _vary_delays(self, base: dict[str, Array]) -> None:
        jitter = self._effects.commands.jitter(self._effects.clock)
        if jitter is not None:
            self._batch.expand("actuator_delay")[...] = base["actuator_delay"] + jitter

    def _drive(self, base: dict[str, Array], nstep: int) -> None:
        if "actuator_gainprm" not in base:
            return
        limits = base["actuator_forcerange"]
        gear = self._value("actuator_gear")[..., 0]
        law = self._effects.servos.act(
            Law(*self._law(base), limits[..., 0], limits[..., 1]),
            self._control(),
            gear * self._batch.bind("qpos")[:, self._qpos],
            gear * self._batch.bind("qvel")[:, self._qvel],
            time=self._effects.clock.time,
            dt=nstep * np.atleast_1d(self._value("opt.timestep"))[:, None],
        )
        affine = self._affine  # of the others, effects change the limits only
        self._batch.expand("actuator_gainprm")[:, affine, 0] = law.gain[:, affine]
        self._batch.expand("actuator_biasprm")[:, affine, :3] = law.bias[:, affine]
        limits = self._batch.expand("actuator_forcerange")
        limits[..., 0], limits[..., 1] = law.low, law.high

    def _law(self, base: dict[str, Array]) -> tuple[Array, Array]:
        """Return gain (nsim, nu) and bias (nsim, nu, 3) of the affine law of each actuator.

        A DC motor's is what its driver asks for, whatever the circuit makes of it: the command, or
        the torque of its servo (gainprm: R, K, temperature coefficient and reference, kp, ki, kd).
        """
        gain = base["actuator_gainprm"][..., 0].copy()
        bias = base["actuator_biasprm"][..., :3].copy()
        motors, servo = self._dcmotors, self._dc_servo
        kp, kd = np.moveaxis(base["actuator_gainprm"][:, motors][..., [4, 6]], -1, 0)
        gain[:, motors] = np.where(servo, kp, 1.0)
        bias[:, motors] = np.stack([0.0 * kp, -kp, -kd], axis=-1) * servo[:, None]
        return gain, bias

    def _stick(self, base: dict[str, Array], dof: NDArray[np.int32]) -> None:
        if "dof_frictionloss" not in base:
            return
        load = self._effects.friction.memory.get("load")
        self._batch.expand("dof_frictionloss")[:, dof] = self._effects.friction.level(
            base["dof_frictionloss"][:, dof], self._batch.bind("qvel")[:, dof], load
        )

    def _control(self) -> Array:
        """Return what the actuators act on in the next physics step, (nsim, nu)."""
        delay = self._value("actuator_delay")
        control = self._history.read(
            self._batch.bind("history"), delay / self._timestep(), self._batch.bind("ctrl")
        )
        limited = self._model.actuator_ctrllimited != 0
        span = self._value("actuator_ctrlrange")
        return np.where(limited, np.clip(control, span[..., 0], span[..., 1]), control)

    def _timestep(self) -> Array:
        return np.reshape(self._value("opt.timestep"), (-1, 1))

    def _value(self, name: str) -> Array:
        """Return a field of each simulation (nsim, ...), or of the model they share (...)."""
        expanded = self._batch.expanded(name)
        if expanded is not None:
            return expanded
        if name.startswith("opt."):
            return np.asarray(getattr(self._model.opt, name.removeprefix("opt.")))
        return getattr(self._model, name)


class History:
    """The delay buffers of the actuators: MuJoCo's reset leaves them at command 0."""

    def __init__(self, model: mujoco.MjModel):
        self._samples = [int(model.actuator_history[i, 0]) for i in range(model.nu)]
        self._address = [int(model.actuator_historyadr[i]) for i in range(model.nu)]

    def fill(self, history: Array, ids: NDArray[np.int32], command: Array) -> None:
        """Write `command` (n, nu) as what each actuator was told before the start."""
        for actuator, nsample, values in self._buffers():
            history[ids, values : values + nsample] = command[:, actuator, None]

    def read(self, history: Array, lag: Array, newest: Array) -> Array:
        """Return what MuJoCo will read `lag` ([nsim,] nu) physics steps late: (nsim, nu).

        `newest` (nsim, nu) is what acts without a delay.
        """
        control = newest.copy()
        lag = np.broadcast_to(lag, newest.shape)
        rows = np.arange(len(history))
        for actuator, nsample, values in self._buffers():
            # the newest in the buffer is one step old, and no positive delay is shorter
            past = np.maximum(lag[:, actuator], 1.0) - 1.0
            whole = past.astype(np.int64)
            cursor = history[:, values - nsample - 1].astype(np.int64)
            newer = history[rows, values + (cursor - whole) % nsample]
            older = history[rows, values + (cursor - whole - 1) % nsample]
            delayed = newer + (past - whole) * (older - newer)
            control[:, actuator] = np.where(lag[:, actuator] > 0.0, delayed, newest[:, actuator])
        return control

    def _buffers(self) -> Iterator[tuple[int, int, int]]:
        """Yield actuator, number of samples and where its values start, where there is a buffer."""
        for actuator, (nsample, address) in enumerate(
            zip(self._samples, self._address, strict=True)
        ):
            if nsample:  # layout: user slot, cursor, times, values
                yield actuator, nsample, address + 2 + nsample
