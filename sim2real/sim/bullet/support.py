"""What of a compiled model Bullet cannot carry over: refused by name, never dropped in silence."""

import mujoco
import numpy as np

from sim2real.errors import RobotError

_GEOM, _JOINT = mujoco.mjtGeom, mujoco.mjtJoint
_MAX_LINKS = 128


def check_supported(model: mujoco.MjModel, robot: str) -> None:
    """Raise RobotError if `model` holds anything that BulletSimulator would have to leave out."""
    for found, advice in _unsupported(model):
        if found:
            raise RobotError(
                f"robot {robot!r}: Bullet cannot carry over {found}: {advice}, or simulate it"
                " with MuJoCo"
            )


def check_links(count: int, robot: str) -> None:
    """Raise RobotError if a robot has more links than Bullet takes."""
    if count > _MAX_LINKS:
        raise RobotError(
            f"robot {robot!r}: {count} links (joints, bodies, colliding geoms) are more than"
            f" Bullet's {_MAX_LINKS}: let fewer geoms collide, or simulate it with MuJoCo"
        )


def _unsupported(model: mujoco.MjModel) -> list[tuple[str, str]]:
    """Return (what, advice); `what` is empty where the model has no such thing."""
    return [
        (_count(model.ntendon, "tendon"), "drive the joints directly"),
        (_count(model.neq, "equality constraint"), "model the mechanism as a tree"),
        (_count(model.nflex, "flexible body"), "use rigid bodies"),
        (_count(model.nmocap, "mocap body"), "use a joint"),
        (_count(model.nplugin, "plugin"), "remove it"),
        (_count(model.npair, "explicit contact pair"), "set the geoms' own friction and condim"),
        (_count(model.nplastic, "plastic spring"), "remove its yield"),
        (_count(model.na, "actuator activation"), "let the actuators act at once"),
        (_joints(model), "write the joint as hinges and slides"),
        (_bases(model), "let everything that moves hang on one free body"),
        (_geoms(model), "use a primitive or a mesh"),
        (_actuators(model), "drive joints by motors and position servos"),
        (_polynomials(model), "use linear damping and stiffness"),
        ("gravity compensation" if model.body_gravcomp.any() else "", "remove it"),
        ("a fluid" if model.opt.density or model.opt.viscosity else "", "set density = 0"),
        (_overrides(model), "set the geoms' own values"),
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}" if number else ""


def _joints(model: mujoco.MjModel) -> str:
    balls = np.flatnonzero(model.jnt_type == _JOINT.mjJNT_BALL.value)
    return f"the ball joint {model.joint(int(balls[0])).name!r}" if len(balls) else ""


def _bases(model: mujoco.MjModel) -> str:
    free = np.flatnonzero(model.jnt_type == _JOINT.mjJNT_FREE.value)
    if not len(free):
        return ""
    name = model.joint(int(free[0])).name
    dofs = slice(int(model.jnt_dofadr[free[0]]), int(model.jnt_dofadr[free[0]]) + 6)
    if any(getattr(model, f"dof_{what}")[dofs].any() for what in ("damping", "armature",
                                                                  "frictionloss")):  # fmt: skip
        return f"damping, armature or friction of the free joint {name!r}"
    moving = model.body_weldid != 0
    roots = set(model.body_rootid[moving].tolist())
    return "" if len(roots) == 1 else f"the free joint {name!r} beside other moving bodies"


def _geoms(model: mujoco.MjModel) -> str:
    collides = (model.geom_contype | model.geom_conaffinity) != 0
    strange = np.isin(model.geom_type, [_GEOM.mjGEOM_HFIELD.value, _GEOM.mjGEOM_SDF.value])
    moves = (
        model.geom_adhesion.any(axis=-1) if model.geom_adhesion.ndim > 1 else model.geom_adhesion
    )
    odd = np.flatnonzero(collides & (strange | (moves != 0)))
    return (
        f"geom {model.geom(int(odd[0])).name!r} (height field, sdf or adhesive)" if len(odd) else ""
    )


def _actuators(model: mujoco.MjModel) -> str:
    plain = (
        np.isin(model.actuator_trntype, [mujoco.mjtTrn.mjTRN_JOINT.value])
        & (model.actuator_dyntype == mujoco.mjtDyn.mjDYN_NONE.value)
        & (model.actuator_gaintype == mujoco.mjtGain.mjGAIN_FIXED.value)
        & np.isin(
            model.actuator_biastype,
            [mujoco.mjtBias.mjBIAS_NONE.value, mujoco.mjtBias.mjBIAS_AFFINE.value],
        )
    )
    odd = np.flatnonzero(~plain)
    return f"actuator {model.actuator(int(odd[0])).name!r}" if len(odd) else ""


def _polynomials(model: mujoco.MjModel) -> str:
    fields = ("dof_dampingpoly", "jnt_stiffnesspoly", "actuator_damping", "actuator_armature")
    return next((name for name in fields if getattr(model, name).any()), "")


def _overrides(model: mujoco.MjModel) -> str:
    flag = mujoco.mjtEnableBit.mjENBL_OVERRIDE.value
    if model.opt.enableflags & flag:
        return "the contact override"
    return "moving surfaces (surfacevel)" if model.geom_surfacevel.any() else ""
