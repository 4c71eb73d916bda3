"""One PyBullet client with one robot in it; every call into pybullet is in this file.

The traps of PyBullet that this file keeps clear of:
- `changeDynamics(linearDamping=...)` forgets the link that it was given: one call per concern.
- links are renumbered depth first, unless URDF_MAINTAIN_LINK_ORDER is given.
- joints start with a motor that brakes them, links with a damping of 0.04 and a speed limit.
- the default solver leaves errors of 1e-3 in coupled joints; Dantzig's is exact.
"""

import weakref
from collections.abc import Sequence
from typing import Any, final

import mujoco
import numpy as np

from sim2real.sim.bullet.base import Pose
from sim2real.sim.bullet.contacts import Contacts, Friction, hull_points
from sim2real.sim.bullet.loading import load_pybullet, silence
from sim2real.sim.bullet.tree import Link, Tree, scalar_joints
from sim2real.sim.simulator import Array

_LIMIT = mujoco.mjtDisableBit.mjDSBL_LIMIT.value | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT.value
_DRY = mujoco.mjtDisableBit.mjDSBL_FRICTIONLOSS.value | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT.value
_UNBOUNDED, _NO_INERTIA = 1e10, 1e-10


@final
class World:
    """One robot under gravity; its joints in the model's order, 0 where MuJoCo has `qpos0`."""

    def __init__(self) -> None:
        self._bullet = load_pybullet()
        with silence():
            self._client = self._bullet.connect(self._bullet.DIRECT)
        self.close = weakref.finalize(self, self._bullet.disconnect, self._client)
        """Free the client's memory (28 MB); the world is of no use afterwards."""

    def build(self, model: mujoco.MjModel, tree: Tree, contacts: Contacts, rotor: Array) -> None:
        """Replace what is in the world by a robot.

        Args:
            model: numbers of the robot.
            tree: its links.
            contacts: which of its geoms touch.
            rotor: inertia of each joint's rotor (n,) [kg m², kg]; negative for a joint that
                never has one.
        """
        self._start(model)
        poses = self._static_poses(model)
        weld = model.body_weldid[model.geom_bodyid]
        moving = [key for key in contacts.colliders if weld[key[0]] != 0]
        self._robot = self._multibody(
            [*tree.links, *(_fixed(model, tree, geom) for geom, _ in moving)],
            [-1] * len(tree.links) + [self._shape(model, geom) for geom, _ in moving],
            tree.base,
        )
        self._joints = [tree.joint_link[joint] for joint in scalar_joints(model)]
        if tree.base is not None:
            self._set_link(-1, tree.base)
        for number, link in enumerate(tree.links):
            self._set_link(number, link)
        self._set_joints(model)
        self._set_rotors(rotor)
        place = {key: (self._robot, len(tree.links) + i) for i, key in enumerate(moving)}
        for geom, friction in contacts.colliders.keys() - place.keys():
            place[geom, friction] = (self._fixture(model, geom, poses[geom]), -1)
        self._set_contacts(contacts, place)
        self._clean = self._call("saveState")

    def restart(self, position: Array, velocity: Array, base: Pose | None) -> None:
        """Start from a joint state, each (n,), and a base's, with nothing remembered of the past.

        `base` is the pose of its inertial frame and the velocity of that frame's origin.
        """
        self._call("restoreState", self._clean)
        if base is not None:
            point, quaternion, linear, angular = base
            self._call("resetBasePositionAndOrientation", self._robot, point, _xyzw(quaternion))
            self._call("resetBaseVelocity", self._robot, linear.tolist(), angular.tolist())
        for joint, q, v in zip(self._joints, position.tolist(), velocity.tolist(), strict=True):
            self._call("resetJointState", self._robot, joint, q, v)
        for rotor, joint in enumerate(self._geared):
            self._call("resetJointState", self._rotors, rotor, 0.0, float(velocity[joint]))

    def advance(self, force: Array, rotor: Array) -> Array:
        """Return position and velocity (n, 2) of the joints after a physics step.

        Args:
            force: at each joint (n,) [Nm, N].
            rotor: inertia of each joint's rotor (n,).
        """
        self._turn_rotors(rotor)
        torque = self._bullet.TORQUE_CONTROL
        self._call(
            "setJointMotorControlArray", self._robot, self._joints, torque, forces=force.tolist()
        )
        self._call("stepSimulation")
        states = self._call("getJointStates", self._robot, self._joints)
        return np.array([state[:2] for state in states])

    def push_base(self, place: Array, force: Array, torque: Array) -> None:
        """Push the base in the next step, in the world's frame.

        Args:
            place: where the force acts (3,) [m].
            force: (3,) [N].
            torque: (3,) [Nm].
        """
        world = self._bullet.WORLD_FRAME
        self._call("applyExternalForce", self._robot, -1, force.tolist(), place.tolist(), world)
        self._call("applyExternalTorque", self._robot, -1, torque.tolist(), world)

    def base(self) -> Pose:
        """Return pose and velocity of the floating base's inertial frame."""
        place, turn = self._call("getBasePositionAndOrientation", self._robot)
        linear, angular = self._call("getBaseVelocity", self._robot)
        return np.array(place), np.roll(turn, 1), np.array(linear), np.array(angular)

    def pose(self, link: int) -> tuple[Array, Array]:
        """Return a link's position (3,) and quaternion w x y z (4,) in the world."""
        state = self._call("getLinkState", self._robot, link, computeForwardKinematics=True)
        return np.array(state[4]), np.roll(state[5], 1)

    def _call(self, name: str, *values: Any, **options: Any) -> Any:
        return getattr(self._bullet, name)(*values, physicsClientId=self._client, **options)

    def _start(self, model: mujoco.MjModel) -> None:
        off = model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_GRAVITY.value
        gravity = np.zeros(3) if off else model.opt.gravity
        with silence():
            self._call("resetSimulation")
            self._call(
                "setPhysicsEngineParameter",
                constraintSolverType=self._bullet.CONSTRAINT_SOLVER_LCP_DANTZIG,
                numSolverIterations=200,  # of the solver that takes over when Dantzig's fails
                deterministicOverlappingPairs=1,
            )
        self._call("setTimeStep", model.opt.timestep)
        self._call("setGravity", *gravity.tolist())

    def _multibody(
        self, links: Sequence[Link], shapes: Sequence[int], base: Link | None = None
    ) -> int:
        kinds = {
            "hinge": self._bullet.JOINT_REVOLUTE,
            "slide": self._bullet.JOINT_PRISMATIC,
            "fixed": self._bullet.JOINT_FIXED,
        }
        origin, level = np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0])
        centres = [origin if link.centre is None else link.centre for link in links]
        frames = [level if link.frame is None else link.frame for link in links]
        inertial: dict[str, Any] = {}
        if base is not None and base.centre is not None and base.frame is not None:
            inertial = {
                "baseInertialFramePosition": base.centre.tolist(),
                "baseInertialFrameOrientation": _xyzw(base.frame),
            }
        body = self._call(
            "createMultiBody",
            baseMass=0.0 if base is None else base.mass,
            **inertial,
            linkMasses=[link.mass for link in links],
            linkCollisionShapeIndices=list(shapes),
            linkVisualShapeIndices=[-1] * len(links),
            linkPositions=[link.position.tolist() for link in links],
            linkOrientations=[_xyzw(link.rotation) for link in links],
            linkInertialFramePositions=[centre.tolist() for centre in centres],
            linkInertialFrameOrientations=[_xyzw(frame) for frame in frames],
            linkParentIndices=[link.parent + 1 for link in links],
            linkJointTypes=[kinds[link.joint] for link in links],
            linkJointAxis=[link.axis.tolist() for link in links],
            flags=self._bullet.URDF_USE_SELF_COLLISION | self._bullet.URDF_MAINTAIN_LINK_ORDER,
        )
        self._call("changeDynamics", body, -1, linearDamping=0.0, angularDamping=0.0)
        return body

    def _set_link(self, number: int, link: Link) -> None:
        if link.inertia is not None:
            inertia = link.inertia.tolist()
            self._call("changeDynamics", self._robot, number, localInertiaDiagonal=inertia)

    def _set_joints(self, model: mujoco.MjModel) -> None:
        dry = dry_friction(model)
        limited = model.jnt_limited * (not model.opt.disableflags & _LIMIT)
        for joint, link in zip(scalar_joints(model), self._joints, strict=True):
            self._brake(self._robot, link, float(dry[model.jnt_dofadr[joint]]))
            if limited[joint]:
                zero = model.qpos0[model.jnt_qposadr[joint]]
                low, high = (model.jnt_range[joint] - zero).tolist()
                self._call(
                    "changeDynamics", self._robot, link, jointLowerLimit=low, jointUpperLimit=high
                )

    def brake(self, friction: Array) -> None:
        """Set the joints' dry friction (n,) [Nm, N] from the next step on."""
        for link, force in zip(self._joints, friction.tolist(), strict=True):
            self._brake(self._robot, link, force)

    def _brake(self, body: int, link: int, force: float) -> None:
        # a motor that wants to stand still, with no more than `force`, is Coulomb friction
        self._call(
            "setJointMotorControl2",
            body,
            link,
            self._bullet.VELOCITY_CONTROL,
            targetVelocity=0.0,
            velocityGain=1.0,
            force=force,
        )
        self._call("changeDynamics", body, link, maxJointVelocity=_UNBOUNDED)

    def _set_rotors(self, inertia: Array) -> None:
        """Gear a wheel to every joint with a rotor: ½ J q̇², which no inertia of a link can be."""
        self._geared = [int(joint) for joint in np.flatnonzero(inertia >= 0.0)]
        self._turning = [-1.0] * len(self._geared)
        if not self._geared:
            return
        level, axis = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
        wheel = Link(-1, "hinge", np.zeros(3), level, axis, mass=1.0)
        self._rotors = self._multibody([wheel] * len(self._geared), [-1] * len(self._geared))
        gear = self._bullet.JOINT_GEAR
        for rotor, joint in enumerate(self._geared):
            self._brake(self._rotors, rotor, 0.0)
            ends = (self._robot, self._joints[joint], self._rotors, rotor)
            constraint = self._call(
                "createConstraint", *ends, gear, [0, 0, 1], [0, 0, 0], [0, 0, 0]
            )
            self._call("changeConstraint", constraint, gearRatio=-1, maxForce=_UNBOUNDED, erp=0)
        self._turn_rotors(inertia)

    def _turn_rotors(self, inertia: Array) -> None:
        for rotor, joint in enumerate(self._geared):
            wanted = max(float(inertia[joint]), _NO_INERTIA)
            if wanted != self._turning[rotor]:
                self._turning[rotor] = wanted
                diagonal = [wanted] * 3
                self._call("changeDynamics", self._rotors, rotor, localInertiaDiagonal=diagonal)

    def _static_poses(self, model: mujoco.MjModel) -> list[tuple[Array, Array]]:
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        return [
            (data.geom_xpos[geom].copy(), _quaternion(data.geom_xmat[geom]))
            for geom in range(model.ngeom)
        ]

    def _fixture(self, model: mujoco.MjModel, geom: int, pose: tuple[Array, Array]) -> int:
        return self._call(
            "createMultiBody",
            baseMass=0.0,
            baseCollisionShapeIndex=self._shape(model, geom),
            basePosition=pose[0].tolist(),
            baseOrientation=_xyzw(pose[1]),
        )

    def _shape(self, model: mujoco.MjModel, geom: int) -> int:
        kind, size = mujoco.mjtGeom(int(model.geom_type[geom])), model.geom_size[geom].tolist()
        bullet, types = self._bullet, mujoco.mjtGeom
        shapes = {
            types.mjGEOM_PLANE: {"shapeType": bullet.GEOM_PLANE, "planeNormal": [0, 0, 1]},
            types.mjGEOM_SPHERE: {"shapeType": bullet.GEOM_SPHERE, "radius": size[0]},
            types.mjGEOM_BOX: {"shapeType": bullet.GEOM_BOX, "halfExtents": size},
            types.mjGEOM_CAPSULE: {
                "shapeType": bullet.GEOM_CAPSULE, "radius": size[0], "height": 2 * size[1]
            },
            types.mjGEOM_CYLINDER: {
                "shapeType": bullet.GEOM_CYLINDER, "radius": size[0], "height": 2 * size[1]
            },
        }  # fmt: skip
        if kind in shapes:
            return self._call("createCollisionShape", **shapes[kind])
        points = hull_points(model, geom).tolist()
        return self._call("createCollisionShape", shapeType=bullet.GEOM_MESH, vertices=points)

    def _set_contacts(
        self, contacts: Contacts, place: dict[tuple[int, Friction], tuple[int, int]]
    ) -> None:
        for (body, link), (slide, spin, roll) in (
            (where, friction) for (_, friction), where in place.items()
        ):
            self._call("setCollisionFilterGroupMask", body, link, 0, 0)
            self._call(
                "changeDynamics",
                body,
                link,
                lateralFriction=slide,
                spinningFriction=spin,
                rollingFriction=roll,
                restitution=0.0,
            )
        where = [place[key] for key in contacts.colliders]
        for a, b in contacts.pairs:
            (body_a, link_a), (body_b, link_b) = where[a], where[b]
            self._call("setCollisionFilterPair", body_a, body_b, link_a, link_b, True)


def dry_friction(model: mujoco.MjModel) -> Array:
    """Return the Coulomb friction of the joints (nv,) [Nm, N]."""
    return model.dof_frictionloss * (not model.opt.disableflags & _DRY)


def _fixed(model: mujoco.MjModel, tree: Tree, geom: int) -> Link:
    parent, position = tree.place(int(model.geom_bodyid[geom]), model.geom_pos[geom])
    return Link(parent, "fixed", position, model.geom_quat[geom].copy(), np.array([0.0, 0.0, 1.0]))


def _xyzw(quaternion: Array) -> list[float]:
    return np.roll(quaternion, -1).tolist()


def _quaternion(matrix: Array) -> Array:
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, matrix)
    return quaternion
