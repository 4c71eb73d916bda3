"""PyBullet behind the Simulator interface: a second engine, the stand-in for reality.

Built from the compiled MjModel, so that one description serves both engines. The equations of
motion without contact are MuJoCo's to rounding error; contacts, joint limits and dry friction are
Bullet's own hard constraints, where MuJoCo's are soft (`solref`, `solimp` and `margin` have no
counterpart). What cannot be carried over is refused (`support`).
"""

from types import TracebackType
from typing import final

import mujoco
import mujoco.batch
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.rotation import rotate
from sim2real.sim.base import BaseState, base_addresses
from sim2real.sim.bullet.base import from_inertial, to_inertial
from sim2real.sim.bullet.contacts import Contacts
from sim2real.sim.bullet.drives import Drives
from sim2real.sim.bullet.support import check_links, check_supported
from sim2real.sim.bullet.tree import Tree, scalar_joints
from sim2real.sim.bullet.world import World, dry_friction
from sim2real.sim.effects import Effects
from sim2real.sim.friction import transmitted
from sim2real.sim.model import compile_model, substeps
from sim2real.sim.simulator import Array, Ids, Simulator

_ABSURD = 1e6
_FIELDS = (
    *("body_pos", "body_quat", "body_ipos", "body_iquat", "body_mass", "body_inertia"),
    *("body_gravcomp", "jnt_axis", "jnt_pos", "jnt_range", "jnt_limited", "jnt_stiffness"),
    *("jnt_actfrcrange", "dof_armature", "dof_damping", "dof_frictionloss", "qpos0"),
    *("qpos_spring", "geom_type", "geom_size", "geom_pos", "geom_quat", "geom_friction"),
    *("geom_contype", "geom_conaffinity", "geom_condim", "geom_priority"),
    *("actuator_gainprm", "actuator_biasprm", "actuator_gear", "actuator_delay"),
    *("actuator_ctrlrange", "actuator_forcerange"),
)
_OPTIONS = ("gravity", "timestep", "disableflags", "density", "viscosity")


@final
class BulletSimulator(Simulator):
    """Simulations on PyBullet, one client of 28 MB each, stepped one after the other.

    Free its clients with `close`, or use it in a `with`.
    """

    def __init__(self, robot: Robot, nsim: int, *, model: mujoco.MjModel | None = None):
        self.robot = robot
        self.model = compile_model(robot) if model is None else model
        check_supported(self.model, robot.name)
        self.fields = mujoco.batch.Batch(self.model, nsim, 1)
        self.effects = Effects(robot, nsim, self.model.nbody)
        self._substeps = substeps(robot, self.model)
        joints = scalar_joints(self.model)
        if robot.base is None and len(joints) < self.model.njnt:
            raise RobotError(
                f"robot {robot.name!r}: Bullet cannot simulate a free joint that is not the robot's"
                " own: declare it as [base] in robot.toml, or simulate it with MuJoCo"
            )
        # where the robot's joints stand among all hinges and slides, and these in qpos and qvel
        self._own = np.searchsorted(joints, [self.model.joint(name).id for name in robot.joints])
        self._qpos, self._dofs = self.model.jnt_qposadr[joints], self.model.jnt_dofadr[joints]
        self._drives = Drives(self.model, self.effects)
        self._worlds = [World() for _ in range(nsim)]
        self._trees = [Tree.of(self.model)] * nsim
        self._models = [self.model] * nsim
        self._built: list[bytes] = [b""] * nsim
        self._state = np.zeros((nsim, len(joints), 2))
        self._base = None if robot.base is None else BaseState.at_home(robot, nsim)
        self._free = base_addresses(robot, self.model)
        self._offset = np.tile(self.model.qpos0[self._qpos], (nsim, 1))
        self._rest = np.zeros((nsim, self.model.nu))
        self._friction = np.zeros((nsim, len(joints)))
        self._diverged = np.zeros(nsim, bool)
        self._tip = None if robot.tip is None else self.model.site(robot.tip).id
        start = self._offset[:, self._own]
        self.reset(np.arange(nsim, dtype=np.int32), start, np.zeros_like(start), self._rest)

    def close(self) -> None:
        """Free the memory of the clients; the simulator is of no use afterwards."""
        for world in self._worlds:
            world.close()

    def __enter__(self) -> "BulletSimulator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def position(self) -> Array:  # noqa: D102
        return (self._state[..., 0] + self._offset)[:, self._own]

    @property
    def velocity(self) -> Array:  # noqa: D102
        return self._state[..., 1][:, self._own]

    @property
    def base(self) -> BaseState | None:  # noqa: D102
        return self._base

    @property
    def tip(self) -> tuple[Array, Array]:  # noqa: D102
        if self._tip is None:
            raise RobotError(f"robot {self.robot.name!r} has no tip: name a site in robot.toml")
        poses = [self._site(sim, self._tip) for sim in range(self.nsim)]
        return np.array([pose[0] for pose in poses]), np.array([pose[1] for pose in poses])

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
        for sim in ids:
            self._take_fields(int(sim))
        start = np.zeros((len(ids), *self._state.shape[1:]))
        start[:, self._own, 0] = position - self._offset[ids][:, self._own]
        start[:, self._own, 1] = velocity
        self._state[ids] = start
        self._put_base(ids, base or BaseState.at_home(self.robot, len(ids)))
        self._rest[ids] = command
        self._drives.reset(ids, command)
        for sim in ids:
            if _sound(self._state[sim]):  # any other is noticed in the next step
                self._restart(int(sim))
        self._diverged[ids] = False
        self.effects.reset(ids, self.truth, command)

    def update(self, ids: Ids) -> None:  # noqa: D102
        for sim in map(int, ids):
            position = self._state[sim, :, 0] + self._offset[sim]
            if self._take_fields(sim):  # a world that was built anew stands at its start
                self._state[sim, :, 0] = position - self._offset[sim]
                if _sound(self._state[sim]):
                    self._restart(sim)

    def step(self, command: Array) -> None:  # noqa: D102
        self._diverged[...] = False
        command = np.broadcast_to(command, self._rest.shape)
        self._give_up(~(_sound(self._state) & _sound(command[..., None])))
        command = np.where(self._diverged[:, None], self._rest, command)
        command = self.effects.commands.send(command, self.effects.clock)
        jitter = self.effects.commands.jitter(self.effects.clock)
        pushes = self.effects.pushes
        wrench = pushes.wrench(self.effects.clock) if pushes.used else None
        for _ in range(self._substeps):
            position = self._state[..., 0] + self._offset
            force, rotor = self._drives.push(position, self._state[..., 1], command, jitter)
            self._stick(force)
            for sim in np.flatnonzero(~self._diverged):
                outer = 0.0 if wrench is None else self._pushed(int(sim), wrench[sim])
                self._state[sim] = self._worlds[sim].advance(force[sim] + outer, rotor[sim])
            self._read_bases()
            self._give_up(~self._all_sound())
        self.effects.advance(self.truth)

    def _all_sound(self) -> NDArray[np.bool_]:
        base = self._base
        return _sound(self._state) & (base is None or _sound(base.position[..., None]))

    def _restart(self, sim: int) -> None:
        base, link = self._base, self._trees[sim].base
        pose = None if base is None or link is None else to_inertial(base, sim, link)
        position, velocity = self._state[sim].T
        self._worlds[sim].restart(position, velocity, pose)

    def _put_base(self, ids: Ids, base: BaseState) -> None:
        if self._base is not None:
            for name, values in vars(self._base).items():
                values[ids] = getattr(base, name)

    def _read_bases(self) -> None:
        if self._base is None:
            return
        for sim, (world, tree) in enumerate(zip(self._worlds, self._trees, strict=True)):
            assert tree.base is not None  # the robot has one
            self._put_base(np.array([sim], np.int32), from_inertial(world.base(), tree.base))

    def _stick(self, force: Array) -> None:
        """Let the joints' dry friction follow their speed and load, pushed by `force` (nsim, n)."""
        dry = self.effects.friction
        if dry.used:
            friction = self._friction.copy()
            load = None
            if dry.loaded:
                bias = np.array([self._bias(sim) for sim in range(self.nsim)])
                load = transmitted(force, bias)[:, self._own]
            friction[:, self._own] = dry.level(friction[:, self._own], self.velocity, load)
            for sim in np.flatnonzero(~self._diverged):
                self._worlds[sim].brake(friction[sim])

    def _bias(self, sim: int) -> Array:
        """Return what gravity and motion ask of the joints of a simulation (n,) [Nm, N]."""
        model = self._models[sim]
        data = mujoco.MjData(model)
        data.qpos[self._qpos] = self._state[sim, :, 0] + self._offset[sim]
        data.qvel[self._dofs] = self._state[sim, :, 1]
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_fwdVelocity(model, data)
        return data.qfrc_bias[self._dofs]

    def _pushed(self, sim: int, wrench: Array) -> Array:
        """Push the base, and return the joints' forces (n,), of wrenches (nbody, 6) on the bodies.

        They act at the centres of mass.
        """
        model, force = self._models[sim], np.zeros(self.model.nv)
        if not wrench.any():
            return force[self._dofs]
        data = mujoco.MjData(model)
        data.qpos[self._qpos] = self._state[sim, :, 0] + self._offset[sim]
        if self._base is not None and self._free is not None:
            free = self._free[0]
            data.qpos[free : free + 3] = self._base.position[sim]
            data.qpos[free + 3 : free + 7] = self._base.orientation[sim]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        for body in np.flatnonzero(wrench.any(axis=1)):
            at = data.xipos[body]
            mujoco.mj_applyFT(model, data, wrench[body, :3], wrench[body, 3:], at, body, force)
        if self._base is not None and self._free is not None:
            # at the base's origin: a force in the world's frame, a torque in its own
            linear, angular = np.split(force[self._free[1] : self._free[1] + 6], 2)
            torque = rotate(self._base.orientation[sim : sim + 1], angular[None])[0]
            self._worlds[sim].push_base(self._base.position[sim], linear, torque)
        return force[self._dofs]

    def _give_up(self, lost: NDArray[np.bool_]) -> None:
        """Start simulations that blew up anew, as MuJoCo does; they wait for the next step."""
        for sim in np.flatnonzero(lost):
            self._diverged[sim] = True
            self._state[sim] = 0.0
            self._drives.reset(np.array([sim], np.int32), self._rest[sim : sim + 1])
            self._put_base(np.array([sim], np.int32), BaseState.at_home(self.robot, 1))
            self._restart(int(sim))

    def _take_fields(self, sim: int) -> bool:
        """Build a simulation's world if its fields have changed; return whether they have."""
        model = self._models[sim] = self.fields.get_model(sim)
        fingerprint = _fingerprint(model)
        if fingerprint == self._built[sim]:
            return False
        check_supported(model, self.robot.name)
        tree, contacts = Tree.of(model), Contacts.of(model)
        check_links(len(tree.links) + len(contacts.colliders), self.robot.name)
        self._drives.take(sim, model)
        self._worlds[sim].build(model, tree, contacts, self._drives.rotor(sim))
        self._trees[sim], self._offset[sim] = tree, model.qpos0[self._qpos]
        self._friction[sim] = dry_friction(model)[self._dofs]
        self._built[sim] = fingerprint
        return True

    def _site(self, sim: int, site: int) -> tuple[Array, Array]:
        """Return a site's position (3,) and rotation matrix (3, 3) in the world."""
        model = self._models[sim]
        local, turn = model.site_pos[site], model.site_quat[site]
        link, local = self._trees[sim].place(int(self.model.site_bodyid[site]), local)
        if link >= 0:
            origin, rotation = self._worlds[sim].pose(link)
        elif self._base is not None:
            origin, rotation = self._base.position[sim], self._base.orientation[sim]
        else:
            origin, rotation = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
        place, quaternion, matrix = np.empty(3), np.empty(4), np.empty(9)
        mujoco.mju_rotVecQuat(place, local, rotation)
        mujoco.mju_mulQuat(quaternion, rotation, turn)
        mujoco.mju_quat2Mat(matrix, quaternion)
        return origin + place, matrix.reshape(3, 3)


def _sound(state: Array) -> NDArray[np.bool_]:
    # NaN compares as false
    return np.all(np.abs(state) < _ABSURD, axis=(-2, -1))


def _fingerprint(model: mujoco.MjModel) -> bytes:
    parts = [getattr(model, name) for name in _FIELDS]
    parts += [np.asarray(getattr(model.opt, name)) for name in _OPTIONS]
    return b"".join(part.tobytes() for part in parts)
