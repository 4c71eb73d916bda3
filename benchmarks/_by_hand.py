"""The same simulation on `mujoco.batch`, written by hand for the benchmark's two robots.

What a careful user would write without our package: whole fields at once, one random generator.
It randomizes the same numbers and does the same work a step, but cannot be seeded by environment,
saved, or told another parameter.
"""

from typing import Any

import gymnasium
import mujoco
import numpy as np
from mujoco.batch import Batch

from sim2real.robot import Robot
from sim2real.sim.model import compile_model, substeps

NONE = mujoco.mjtStage.mjSTAGE_NONE.value
ROOT = 3  # joints of the floating base: rootx, rootz, rooty


class ByHand:
    """Hopper or half-cheetah; only the model comes from the package."""

    def __init__(self, robot: Robot, num_envs: int, nthread: int, seed: int):
        self.model = model = compile_model(robot)
        if model.ntree == 1:  # as ours: the same numbers, without looking for islands
            model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND.value
        self.n, self.rng = num_envs, np.random.default_rng(seed)
        self.batch = batch = Batch(model, num_envs, nthread)
        self.substeps = substeps(robot, model)
        self.is_hopper = robot.name == "hopper"
        self.max_steps = round(robot.task["episode_seconds"] * robot.control_hz) \
            if "episode_seconds" in robot.task else 1000  # fmt: skip
        self.torque = np.array([robot.joints[name].limits.torque for name in robot.driven])  # type: ignore[union-attr]
        self.qpos, self.qvel = batch.bind("qpos"), batch.bind("qvel")
        self.ctrl, self.warning = batch.bind("ctrl"), batch.warning
        self.home = model.qpos0.copy()
        self.fields = {name: batch.expand(name) for name in self._randomized()}
        self.geoms = [model.geom(name).id for name in self._soles()]
        self.position_noise = np.zeros((num_envs, model.nv))
        self.velocity_noise = np.zeros((num_envs, model.nv))
        self.age = self.rng.integers(self.max_steps, size=num_envs)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (num_envs, model.nu), np.float32)
        self.restart(np.arange(num_envs, dtype=np.int32), self.age)

    def step(self, action: Any) -> tuple[Any, ...]:
        """Advance by one control step; restart what has ended."""
        action = np.clip(action, -1.0, 1.0)
        self.ctrl[...] = action * self.torque
        before = self.warning[..., 1].sum(axis=1)
        self.batch.step(nstep=self.substeps)
        diverged = self.warning[..., 1].sum(axis=1) != before
        self.age += 1
        reward = self.reward(action)
        terminated = self.fallen() | diverged
        truncated = (self.age >= self.max_steps) & ~terminated
        observation = last = self.observe(slice(None))
        ids = np.flatnonzero(terminated | truncated).astype(np.int32)
        if len(ids):
            self.restart(ids, 0)
            observation = last.copy()
            observation[ids] = self.observe(ids)
        return observation, reward, terminated, truncated, last

    def reward(self, action: Any) -> Any:
        """Return speed, less effort, with a bonus for a hopper that stands."""
        effort = np.square(action).sum(axis=1)
        if self.is_hopper:
            return self.qvel[:, 0] + 1.0 - 1e-3 * effort
        return self.qvel[:, 0] - 0.1 * effort

    def fallen(self) -> Any:
        """Return which hoppers are too low or too far from upright."""
        if not self.is_hopper:
            return np.zeros(self.n, bool)
        return ~((self.qpos[:, 1] >= 0.7) & (np.abs(self.qpos[:, 2]) <= 0.2))

    def observe(self, rows: Any) -> Any:
        """Return noisy positions but the first, and noisy, clipped velocities."""
        position, velocity = self.qpos[rows], self.qvel[rows]
        if not self.is_hopper:
            z = self.rng.standard_normal((2, *position.shape))
            position = position + self.position_noise[rows] * z[0]
            velocity = velocity + self.velocity_noise[rows] * z[1]
        parts = [position[:, 1:], np.clip(velocity, -10.0, 10.0)]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def restart(self, ids: Any, age: Any) -> None:
        """Begin new episodes of simulations `ids` in new worlds."""
        n, model, noise = len(ids), self.model, 0.005 if self.is_hopper else 0.1
        self.batch.reset(ids, stage=NONE)
        self.randomize(ids)
        self.qpos[ids] = self.home + self.rng.uniform(-noise, noise, (n, model.nq))
        self.qvel[ids] = self.rng.uniform(-noise, noise, (n, model.nv))
        self.age[ids] = age

    def randomize(self, ids: Any) -> None:
        """Write new dynamics to simulations `ids`."""
        n, model, rng, fields = len(ids), self.model, self.rng, self.fields
        mass = rng.uniform(0.8, 1.2, (n, model.nbody - 1))
        fields["body_mass"][ids, 1:] = model.body_mass[1:] * mass
        fields["body_inertia"][ids, 1:] = model.body_inertia[1:] * mass[:, :, None]
        damping = np.exp(rng.uniform(-np.log(2), np.log(2), (n, model.nu)))
        fields["dof_damping"][ids, ROOT:] = model.dof_damping[ROOT:] * damping
        friction = model.geom_friction[self.geoms, 0] * rng.uniform(0.5, 1.5, (n, len(self.geoms)))
        fields["geom_friction"][ids[:, None], self.geoms, 0] = friction
        fields["actuator_gainprm"][ids, :, 0] = rng.uniform(0.9, 1.1, (n, model.nu))
        if not self.is_hopper:
            armature = rng.uniform(0.8, 1.2, (n, model.nu))
            fields["dof_armature"][ids, ROOT:] = model.dof_armature[ROOT:] * armature
            self.position_noise[ids, ROOT:] = rng.uniform(0.0, 0.01, (n, model.nu))
            self.velocity_noise[ids, ROOT:] = rng.uniform(0.0, 0.1, (n, model.nu))
        self.batch.set_const(ids)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _randomized(self) -> list[str]:
        both = ["body_mass", "body_inertia", "dof_damping", "geom_friction", "actuator_gainprm"]
        return both if self.is_hopper else [*both, "dof_armature"]

    def _soles(self) -> list[str]:
        return ["floor", "foot_geom"] if self.is_hopper else ["floor", "bfoot", "ffoot"]
