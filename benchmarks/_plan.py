"""All kinds of dynamics parameters of a robot, for our engine and as a plan for a loop by hand."""

import dataclasses
import json
import re
from typing import Any

import mujoco
import numpy as np

from sim2real.parameters.ranges import Range
from sim2real.robot import Robot
from sim2real.sim.model import compile_model, joint_addresses, make_spec

SUBSTEPS = 4
DELAY = 0.02  # s
FRICTIONLOSS = 0.1  # Nm
NOISE = {"position": 0.01, "velocity": 0.1, "orientation": 0.02, "angular_velocity": 0.1}


def with_all_kinds(robot: Robot, *, constraints: bool = True) -> Robot:
    """Return the robot at four physics steps a control step, with every kind of range.

    Mass, inertia, centre of mass, friction, damping, armature, dry friction, gains, gravity, delay
    and noise. Without `constraints`, what makes physics itself slower stays as it was: dry friction
    where the model has none.
    """
    model = compile_model(robot)
    bodies = [name for i in range(1, model.nbody) if (name := model.body(i).name)]
    geoms = [name for i in range(model.ngeom) if (name := model.geom(i).name)]
    ranges: dict[str, Range] = {}

    def add(pattern: str, names: list[str], **item: Any) -> None:
        ranges.update({pattern.format(name): Range.parse(item, pattern) for name in names})

    add("body.{}.mass", bodies, scale=[0.8, 1.2])
    add("body.{}.inertia_scale", bodies, scale=[0.9, 1.1])
    for axis in range(3):
        add(f"body.{{}}.ipos[{axis}]", bodies, add=[-0.01, 0.01])
        add(f"opt.gravity[{axis}]", [""], add=[-0.2, 0.2])
    add("geom.{}.friction[0]", geoms, scale=[0.5, 1.5])
    joints, driven = list(robot.joints), list(robot.driven)
    dofs = joint_addresses(robot, model)[1]  # what is 0 stays 0, however it is scaled
    damped, inert = (
        [name for name, value in zip(joints, values[dofs], strict=True) if value > 0.0]
        for values in (model.dof_damping, model.dof_armature)
    )
    add("joint.{}.damping", damped, scale={"log_uniform": [0.5, 2.0]})
    add("joint.{}.armature", inert, scale=[0.8, 1.2])
    if constraints:
        add("joint.{}.frictionloss", joints, set=[0.0, FRICTIONLOSS])
    for name in driven:
        gains = ("kp", "kd") if robot.joints[name].mode == "position" else ("gain",)
        for gain in gains:
            add(f"actuator.{{}}.{gain}", [name], scale=[0.8, 1.2])
    add("actuator.{}.delay", driven, set=[0.0, DELAY])
    for signal in ("position", "velocity"):
        add(f"joint.{{}}.{signal}_noise", joints, set=[0.0, NOISE[signal]])
    for signal in ("orientation", "angular_velocity") if robot.base else ():
        for axis in range(3):
            add(f"body.{{}}.{signal}_noise[{axis}]", [robot.base.body], set=[0.0, NOISE[signal]])
    hz = 1.0 / (SUBSTEPS * model.opt.timestep)
    return dataclasses.replace(robot, control_hz=hz).with_ranges(ranges)


def plan(robot: Robot, num_envs: int) -> tuple[mujoco.MjModel, dict[str, Any]]:
    """Return the model and what `_loop.Loop` has to know of the robot; JSON can hold the plan."""
    model = compile_model(robot)
    q, v = joint_addresses(robot, model)
    joints = [robot.joints[name] for name in robot.driven]
    servo = [joint.mode == "position" for joint in joints]
    home = model.qpos0.copy()
    home[q] = [joint.home for joint in robot.joints.values()]
    if robot.base is not None:
        home[2] = robot.base.height
    names = list(robot.joints)
    task = robot.task["name"]
    forward = robot.task.get("forward", "")
    healthy = dict(robot.task.get("healthy", {}))
    if task == "track_velocity":
        healthy = {"base.z": (0.15, 1.0)}
    limits = [joint.limits for joint in joints]
    low_high = [
        limit.position if is_servo else (-limit.torque, limit.torque)
        for limit, is_servo in zip(limits, servo, strict=True)
        if limit
    ]
    return model, {
        "num_envs": num_envs,
        "substeps": SUBSTEPS,
        "max_steps": round(robot.task.get("episode_seconds", 8.0) * robot.control_hz),
        "task": task,
        "start_noise": robot.task.get("start_noise", 0.05),
        "home": home.tolist(),
        "q": q.tolist(),
        "v": v.tolist(),
        "seen": [i for i, name in enumerate(names) if name != forward],
        "forward": int(v[names.index(forward)]) if forward in names else 0,
        "healthy": [
            [2 if name == "base.z" else int(q[names.index(name)]), *interval]
            for name, interval in healthy.items()
        ],
        "scale": [
            joint.action_scale or (joint.limits.torque if joint.limits else 0.0) for joint in joints
        ],
        "offset": np.where(servo, [joint.home for joint in joints], 0.0).tolist(),
        "low": [low for low, _ in low_high],
        "high": [high for _, high in low_high],
        "servo": all(servo),
        "floating": robot.base is not None,
        "delay": DELAY * any(name.endswith(".delay") for name in robot.ranges),
        "frictionloss": FRICTIONLOSS * any("frictionloss" in name for name in robot.ranges),
        "gravity": "opt.gravity",
        "reset": {"stage": mujoco.mjtStage.mjSTAGE_NONE.value},
    }


def as_text(robot: Robot, num_envs: int, **settings: Any) -> str:
    """Return a JSON text from which another interpreter, with another MuJoCo, makes the same."""
    _, content = plan(robot, num_envs)
    spec = make_spec(robot)
    spec.compile()
    # MuJoCo 3 has no such attribute: a position actuator takes positions
    xml = re.sub(r' input="[^"]*"', "", spec.to_xml())
    content |= {"xml": xml, "reset": {}, "gravity": "gravity"}
    content |= settings
    return json.dumps(content)
