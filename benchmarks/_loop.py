"""A randomized task on a batch of simulations, written by hand: numpy, MuJoCo and nothing else.

What a careful user would write for one robot without our package: whole fields at once, one random
generator, a plain reward. It draws the same parameters and measures the same signals, but cannot be
seeded by environment, replayed, or told another parameter. It takes `mujoco.batch` or mjbatch,
whose interpreter has not got our package: hence the plain `plan` (see `_plan.py`).
"""

from typing import Any

import numpy as np

_GRAVITY = np.array([0.0, 0.0, -1.0])


class Loop:
    """`n` simulations of a robot at its task."""

    def __init__(self, model: Any, batch: Any, plan: dict[str, Any], seed: int):
        self.model, self.batch, self.plan = model, batch, plan
        self.rng, self.n = np.random.default_rng(seed), plan["num_envs"]
        self.qpos, self.qvel, self.ctrl = (batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self.warning = batch.warning if hasattr(batch, "warning") else batch.bind("warning")
        arrays = ("scale", "offset", "low", "high", "home", "seen", "q", "v", "healthy")
        for name in arrays:
            setattr(self, name, np.array(plan[name]))
        self.history = batch.bind("history") if plan["delay"] else None
        fields = ["body_mass", "body_inertia", "body_ipos", "dof_damping", "dof_armature"]
        fields += ["geom_friction", "actuator_gainprm", plan["gravity"]]
        fields += ["dof_frictionloss"] * bool(plan["frictionloss"])
        fields += ["actuator_biasprm"] * plan["servo"] + ["actuator_delay"] * bool(plan["delay"])
        self.fields = {name: batch.expand(name) for name in fields}
        self.noise = np.zeros((4, self.n, max(len(self.q), 3)))
        self.age = self.rng.integers(plan["max_steps"], size=self.n)
        self.command = np.zeros((self.n, model.nu))
        self.goal = np.zeros((self.n, 3))
        self.restart(np.arange(self.n, dtype=np.int32), self.age)

    def step(self, action: Any) -> tuple[Any, ...]:
        """Advance by one control step; restart what has ended."""
        action = np.clip(action, -1.0, 1.0)
        before, self.last_command = self.warning[..., 1].sum(axis=1), self.command
        wanted = self.offset + self.scale * action
        self.command = np.minimum(np.maximum(wanted, self.low), self.high)
        self.ctrl[...] = self.command
        self.batch.step(nstep=self.plan["substeps"])
        diverged = self.warning[..., 1].sum(axis=1) != before
        self.age += 1
        reward = self.reward(action)
        terminated = self.fallen() | diverged
        truncated = (self.age >= self.plan["max_steps"]) & ~terminated
        observation = last = self.observe(slice(None))
        ids = np.flatnonzero(terminated | truncated).astype(np.int32)
        if len(ids):
            self.restart(ids, 0)
            observation = last.copy()
            observation[ids] = self.observe(ids)
        return observation, reward, terminated, truncated, last

    def reward(self, action: Any) -> Any:
        """Return a plain reward of the task's kind."""
        effort, change = np.square(action).sum(axis=1), self.command - self.last_command
        if self.plan["task"] == "swing_up":
            height, speed = 1.0 - np.cos(self.qpos[:, 0]), np.square(self.qvel[:, 0])
            near = np.exp(-np.square(2.0 - height) / 0.02)
            return height * np.exp(-speed / 8.0) + near - 0.1 * effort - np.square(change[:, 0])
        if self.plan["task"] == "track_velocity":
            error = np.square(self.qvel[:, :2] - self.goal[:, :2]).sum(axis=1)
            turn = np.square(self.qvel[:, 5] - self.goal[:, 2])
            change = np.square(change).sum(axis=1)
            tracked = np.exp(-error / 0.25) + 0.5 * np.exp(-turn / 0.25)
            return tracked - 0.1 * np.square(self.qvel[:, 2]) - 0.01 * (change + effort)
        return self.qvel[:, self.plan["forward"]] + 1.0 - 1e-3 * effort

    def fallen(self) -> Any:
        """Return which have left the range of what is healthy (k, 3): coordinate, low, high."""
        if not len(self.healthy):
            return np.zeros(self.n, bool)
        position = self.qpos[:, self.healthy[:, 0].astype(int)]
        return ~((position >= self.healthy[:, 1]) & (position <= self.healthy[:, 2])).all(axis=1)

    def observe(self, rows: Any) -> Any:
        """Return noisy positions and clipped noisy velocities, and what an IMU tells."""
        position, velocity = self.qpos[rows][:, self.q], self.qvel[rows][:, self.v]
        z = self.rng.standard_normal((4, *position.shape))
        noise, joints = self.noise[:, rows], slice(len(self.q))
        position = (position + noise[0, :, joints] * z[0])[:, self.seen]
        velocity = velocity + noise[1, :, joints] * z[1]
        parts = [position, np.clip(velocity, -10.0, 10.0)]
        if self.plan["task"] == "swing_up":
            parts = [np.cos(position), np.sin(position), velocity / 8.0, self.command[rows]]
        if self.plan["floating"]:
            down = _rotated_back(self.qpos[rows, 3:7]) + noise[2, :, :3] * z[2, :, :3]
            parts += [down, self.qvel[rows, 3:6] + noise[3, :, :3] * z[3, :, :3]]
        if self.plan["task"] == "track_velocity":
            parts += [self.command[rows], self.goal[rows]]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def restart(self, ids: Any, age: Any) -> None:
        """Begin new episodes of simulations `ids` in new worlds."""
        n, model, noise = len(ids), self.model, self.plan["start_noise"]
        self.batch.reset(ids, **self.plan["reset"])
        self.randomize(ids)
        self.qpos[ids] = self.home
        self.qpos[ids[:, None], self.q] += self.rng.uniform(-noise, noise, (n, len(self.q)))
        self.qvel[ids] = self.rng.uniform(-noise, noise, (n, model.nv))
        self.command[ids] = self.ctrl[ids] = self.offset
        self.goal[ids] = self.rng.uniform(-1.0, 1.0, (n, 3))
        self.age[ids] = age
        if self.history is not None:
            for i in range(model.nu):
                count = int(model.actuator_history[i, 0])
                first = int(model.actuator_historyadr[i]) + 2 + count
                self.history[ids, first : first + count] = self.offset[i]

    def randomize(self, ids: Any) -> None:
        """Write new dynamics to simulations `ids`."""
        n, model, draw, fields = len(ids), self.model, self.rng.uniform, self.fields
        mass = draw(0.8, 1.2, (n, model.nbody - 1))
        inertia = mass * draw(0.9, 1.1, mass.shape)
        fields["body_mass"][ids, 1:] = model.body_mass[1:] * mass
        fields["body_inertia"][ids, 1:] = model.body_inertia[1:] * inertia[:, :, None]
        moved = model.body_ipos[1:] + draw(-0.01, 0.01, (n, model.nbody - 1, 3))
        fields["body_ipos"][ids, 1:] = moved
        at, count = (ids[:, None], self.v), (n, len(self.v))
        damping = np.exp(draw(-np.log(2.0), np.log(2.0), count))
        fields["dof_damping"][at] = model.dof_damping[self.v] * damping
        fields["dof_armature"][at] = model.dof_armature[self.v] * draw(0.8, 1.2, count)
        if self.plan["frictionloss"]:
            fields["dof_frictionloss"][at] = draw(0.0, self.plan["frictionloss"], count)
        friction = model.geom_friction[:, 0] * draw(0.5, 1.5, (n, model.ngeom))
        fields["geom_friction"][ids, :, 0] = friction
        fields[self.plan["gravity"]][ids] = model.opt.gravity + draw(-0.2, 0.2, (n, 3))
        self.randomize_actuators(ids)
        for kind, largest in enumerate((0.01, 0.1, 0.02, 0.1)):
            self.noise[kind, ids] = draw(0.0, largest, (n, self.noise.shape[2]))
        self.batch.set_const(ids)

    def randomize_actuators(self, ids: Any) -> None:
        """Write new gains and delays to simulations `ids`."""
        n, model, draw, fields = len(ids), self.model, self.rng.uniform, self.fields
        gain = model.actuator_gainprm[:, 0] * draw(0.8, 1.2, (n, model.nu))
        fields["actuator_gainprm"][ids, :, 0] = gain
        if self.plan["servo"]:
            fields["actuator_biasprm"][ids, :, 1] = -gain
            kd = model.actuator_biasprm[:, 2] * draw(0.8, 1.2, (n, model.nu))
            fields["actuator_biasprm"][ids, :, 2] = kd
        if self.plan["delay"]:
            fields["actuator_delay"][ids] = draw(0.0, self.plan["delay"], (n, model.nu))

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _rotated_back(quaternion: Any) -> Any:
    """Return where gravity points in frames `quaternion` (n, 4), (n, 3)."""
    w, v = quaternion[:, :1], -quaternion[:, 1:]
    t = 2.0 * np.cross(v, _GRAVITY)
    return _GRAVITY + w * t + np.cross(v, t)
