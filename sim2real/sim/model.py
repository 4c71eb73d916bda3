"""A robot's compiled MjModel: its bodies from the model file, its actuators from `robot.toml`.

One model serves every engine, so what the robot can do is said in one place.
"""

import contextlib
import math
import warnings
from collections.abc import Iterable, Iterator

import mujoco
import numpy as np

from sim2real.errors import RobotError, known
from sim2real.parameters.names import ParameterName
from sim2real.parameters.posterior import Posterior
from sim2real.robot import Joint, Robot
from sim2real.sim.base import base_addresses
from sim2real.sim.contacts import let_decide
from sim2real.sim.motor import set_dcmotor
from sim2real.sim.naming import name_the_unnamed
from sim2real.sim.terrain import add_terrain

_LONGEST = 10.0  # s: how far back an actuator's commands are kept at most


def compile_model(robot: Robot, max_delay: float | None = None) -> mujoco.MjModel:
    """Return the robot's model with one actuator per driven joint, named like the joint.

    Args:
        robot: the robot; its MJCF's own actuators are replaced.
        max_delay: longest command delay [s] that the simulation must be able to hold; by default
            the longest that the robot's ranges can draw.

    Raises:
        RobotError: the model does not load, or has no such joint, or the rates do not fit.
    """
    spec = make_spec(robot, max_delay)
    try:
        with _deprecations_of_others(robot):
            model = spec.compile()
    except ValueError as error:
        raise RobotError(f"robot {robot.name!r}: {robot.model} does not compile: {error}") from None
    _check_rates(robot, model)
    for kind, named in (
        ("site", (*filter(None, (robot.tip,)), *robot.feet)),
        ("geom", robot.deciding_geoms),
    ):
        for name in named:
            names = _names(model, kind, {"site": model.nsite, "geom": model.ngeom}[kind])
            if name not in names:
                raise RobotError(f"robot {robot.name!r}: no {kind} {name!r}{known(name, names)}")
    base_addresses(robot, model)
    let_decide(model, robot.deciding_geoms)
    return model


def make_spec(robot: Robot, max_delay: float | None = None) -> mujoco.MjSpec:
    """Return what `compile_model` compiles, but for `deciding_geoms`; raises RobotError."""
    spec = _load(robot)
    _add_sites(spec, (*filter(None, (robot.tip,)), *robot.feet))
    name_the_unnamed(spec)
    for body in spec.bodies:
        body.simple = False  # a "simple" body ignores a centre of mass that is moved later
    if robot.terrain is not None:
        add_terrain(spec, robot.terrain, robot.name)
    if robot.physics_hz is not None:
        spec.option.timestep = 1.0 / robot.physics_hz
    _remove_actuators(spec)
    _check_joints(spec, robot)
    delay = longest_delay(robot) if max_delay is None else max_delay
    nsample = math.ceil(delay / _shortest_step(robot, spec) - 1e-9) if delay > 0 else 0
    # the model's default class would lend them its gear and its control range
    plain = mujoco.MjSpec().default
    for name in robot.driven:
        _add_actuator(spec, plain, name, robot.joints[name], nsample)
    return spec


def substeps(robot: Robot, model: mujoco.MjModel) -> int:
    """Return the number of physics steps in a control step."""
    return round(1.0 / (robot.control_hz * model.opt.timestep))


def joint_addresses(robot: Robot, model: mujoco.MjModel) -> tuple[np.ndarray, np.ndarray]:
    """Return where the robot's joints stand in qpos and in qvel, each (njoint,)."""
    ids = [model.joint(name).id for name in robot.joints]
    return model.jnt_qposadr[ids], model.jnt_dofadr[ids]


@contextlib.contextmanager
def _deprecations_of_others(robot: Robot) -> Iterator[None]:
    """Silence what MuJoCo says of a package's model that only its authors can change."""
    with warnings.catch_warnings():
        if robot.model.startswith("package:"):
            warnings.filterwarnings("ignore", ".*deprecated", UserWarning)
        yield


def _load(robot: Robot) -> mujoco.MjSpec:
    try:
        with _deprecations_of_others(robot):
            return mujoco.MjSpec.from_file(str(robot.model_path))
    except ValueError as error:
        raise RobotError(f"robot {robot.name!r}: {robot.model} does not load: {error}") from None


def _add_sites(spec: mujoco.MjSpec, names: Iterable[str]) -> None:
    """Put a site at the origin of each body that is named where a site is asked for: URDF's way."""
    for name in names:
        body = spec.body(name)
        if spec.site(name) is None and body is not None:
            body.add_site(name=name)


def _check_joints(spec: mujoco.MjSpec, robot: Robot) -> None:
    joints = {joint.name: joint for joint in spec.joints}
    for name in robot.joints:
        if name not in joints:
            raise RobotError(
                f"robot {robot.name!r}: its model has no joint {name!r}{known(name, joints)}"
            )
        if joints[name].type not in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE):
            raise RobotError(f"robot {robot.name!r}: joint {name!r} must be a hinge or a slide")


def _remove_actuators(spec: mujoco.MjSpec) -> None:
    """Remove the actuators, and the keyframes and sensors that would not compile without them."""
    sensors = [s for s in spec.sensors if s.objtype == mujoco.mjtObj.mjOBJ_ACTUATOR]
    for element in [*sensors, *spec.keys, *spec.actuators]:
        spec.delete(element)


def _add_actuator(
    spec: mujoco.MjSpec, plain: mujoco.MjsDefault, name: str, joint: Joint, nsample: int
) -> None:
    assert joint.limits is not None  # checked by Joint
    actuator = spec.add_actuator(
        plain,
        name=name,
        target=name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        forcelimited=True,
        forcerange=[-joint.limits.torque, joint.limits.torque],
        nsample=nsample,
        interp=1,  # linear: a delay acts continuously, not in whole physics steps
    )
    if joint.motor is not None:
        set_dcmotor(actuator, joint, joint.motor)
    elif joint.mode == "torque":
        actuator.set_to_motor()
    else:
        actuator.set_to_position(kp=joint.kp, kv=joint.kd)
    if joint.mode == "position":
        low, high = joint.limits.position or (0.0, 0.0)
        actuator.ctrllimited = True
        actuator.ctrlrange = [low, high]


def longest_delay(robot: Robot, posterior: Posterior | None = None) -> float:
    """Return the longest that a command can take [s]: a delay, and how much it varies.

    Args:
        robot: its ranges.
        posterior: drawn instead of them, or beside them.

    Raises:
        RobotError: there is no bound, or one that no simulation can hold.
    """
    known = {} if posterior is None else dict(zip(posterior.names, posterior.upper, strict=True))
    ends = [(name, item.bounds(0.0)[1]) for name, item in robot.ranges.items()]
    ends += known.items()
    return _largest(robot, ends, "delay") + _largest(robot, ends, "delay_jitter")


def _largest(robot: Robot, ends: Iterable[tuple[str, float]], attribute: str) -> float:
    names = [(ParameterName.parse(name), value) for name, value in ends]
    largest = [
        value for name, value in names if (name.kind, name.attribute) == ("actuator", attribute)
    ]
    if any(not value <= _LONGEST for value in largest):
        raise RobotError(
            f"robot {robot.name!r}: the distribution of actuators' {attribute} needs an upper bound"
            f" of at most {_LONGEST:g} s"
        )
    return max(largest, default=0.0)


def _shortest_step(robot: Robot, spec: mujoco.MjSpec) -> float:
    """Return the shortest physics step [s] that the robot's ranges can draw."""
    step = float(spec.option.timestep)
    drawn = robot.ranges.get("opt.timestep")
    shortest = step if drawn is None else min(step, drawn.bounds(step)[0])
    return shortest if shortest > 0 else step  # the randomization refuses the others


def _check_rates(robot: Robot, model: mujoco.MjModel) -> None:
    steps = 1.0 / (robot.control_hz * model.opt.timestep)
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        raise RobotError(
            f"robot {robot.name!r}: control_hz = {robot.control_hz:g} must divide the physics rate"
            f" of {1.0 / model.opt.timestep:g} Hz; set physics_hz to a multiple of it"
        )


def _names(model: mujoco.MjModel, kind: str, count: int) -> list[str]:
    return [getattr(model, kind)(i).name for i in range(count)]
