"""A drawn world is, bit for bit, a model compiled with the same numbers: for every term."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import pytest

from sim2real.control import resting_command
from sim2real.errors import ParameterError
from sim2real.randomization.parameters import ParameterSet
from sim2real.randomization.terms import TERMS, make_term
from sim2real.sim.contacts import let_decide
from sim2real.sim.model import compile_model, make_spec
from sim2real.sim.motor import set_dcmotor
from sim2real.sim.mujoco_batch import MujocoSimulator

NSIM, STEPS = 3, 40
"""Simulations, and control steps of five physics steps."""


@dataclass(frozen=True)
class World:
    """One simulation: its numbers, and a spec that has yet to be given them."""

    spec: mujoco.MjSpec
    nominal: mujoco.MjModel
    drawn: mujoco.MjModel
    robot: Any
    element: str
    values: np.ndarray

    @property
    def body(self) -> Any:
        return self.spec.body(self.element)

    @property
    def joint(self) -> Any:
        return self.spec.joint(self.element)

    @property
    def geom(self) -> Any:
        return self.spec.geom(self.element)

    @property
    def actuator(self) -> Any:
        return self.spec.actuator(self.element)

    def motor(self, **changes: float) -> None:
        joint = self.robot.joints[self.element]
        set_dcmotor(self.actuator, joint, dataclasses.replace(joint.motor, **changes))

    def lugre(self) -> None:
        names = ("stiffness", "damping", "coulomb", "static", "stribeck")
        friction = dict(zip(names, self.values, strict=True))
        lugre = self.robot.joints[self.element].motor.lugre
        self.motor(lugre=dataclasses.replace(lugre, **friction))

    def inertial(self) -> None:
        """The same mass, centre, moments and axes; test_inertia.py shows that they are right."""
        body, drawn = self.body, self.drawn.body(self.element)
        body.mass, body.ipos, body.inertia = drawn.mass[0], drawn.ipos, drawn.inertia
        body.iquat = drawn.iquat

    def mass(self, mass: float, factor: float = 1.0) -> None:
        nominal = self.nominal.body(self.element)
        self.body.mass = mass
        self.body.inertia = mass / nominal.mass * factor * nominal.inertia

    def link(self) -> None:
        """The thigh: 0.25 m down to the knee, with a capsule and a site along it."""
        ratio = self.values[0] / 0.25
        self.inertial()
        self.spec.body("shank").pos = [0.0, 0.0, -0.25 - (ratio - 1.0) * 0.25]
        capsule = self.spec.geom("thigh")
        capsule.pos = [0.0, 0.0, -0.125 - (ratio - 1.0) * 0.125]
        capsule.size = [0.03, ratio * self.nominal.geom("thigh").size[1], 0.0]
        self.spec.site("shin").pos = [0.0, 0.0, -0.1 - (ratio - 1.0) * 0.1]

    def turn(self, element: Any, attribute: str) -> None:
        """The nominal frame times a rotation: MuJoCo's own, to the last bits, and then ours."""
        field = {"quat": "quat", "dir": "dir"}[attribute]
        kind = type(element).__name__.removeprefix("Mjs").lower()
        ours = getattr(getattr(self.drawn, kind)(self.element), field)
        turn, theirs = np.empty(4), np.empty(4 if field == "quat" else 3)
        angle = np.linalg.norm(self.values)
        mujoco.mju_axisAngle2Quat(turn, self.values / angle, angle)
        old = getattr(getattr(self.nominal, kind)(self.element), field)
        if field == "quat":
            mujoco.mju_mulQuat(theirs, old, turn)
        else:
            mujoco.mju_rotVecQuat(theirs, old, turn)
        np.testing.assert_allclose(ours, theirs, atol=1e-14)
        setattr(element, attribute, ours)

    def tilt(self) -> None:
        turn, theirs = np.empty(4), np.empty(3)
        angle = np.linalg.norm(self.values)
        mujoco.mju_axisAngle2Quat(turn, self.values / angle, angle)
        mujoco.mju_rotVecQuat(theirs, self.nominal.opt.gravity, turn)
        np.testing.assert_allclose(self.drawn.opt.gravity, theirs, atol=1e-14)
        self.spec.option.gravity = self.drawn.opt.gravity

    def servo(self, kp: float, kd: float) -> None:
        self.actuator.gainprm[0] = kp
        self.actuator.biasprm[1:3] = [-kp, -kd]


def put(owner: Any, name: str, values: np.ndarray) -> None:
    """Set the first numbers of an attribute."""
    array = np.array(getattr(owner, name), float)
    array.flat[: len(values)] = values
    setattr(owner, name, array if array.ndim else float(values[0]))


# term → the element that has it, and what a spec has to be told
COMPILED: dict[str, tuple[str, Callable[[World], None]]] = {
    "actuator.cogging": ("ankle", lambda w: w.motor(cogging=(w.values[0], 6.0))),
    "actuator.delay": ("knee", lambda w: put(w.actuator, "delay", w.values)),
    "actuator.frequency_scale": (
        "knee", lambda w: w.servo(w.values[0] ** 2 * 20.0, w.values[0] * 0.5)),
    "actuator.gain": ("hip", lambda w: put(w.actuator, "gainprm", w.values)),
    "actuator.gear": ("knee", lambda w: put(w.actuator, "gear", w.values)),
    "actuator.gear_ratio_scale": ("ankle", lambda w: w.motor(gear=16.0 * w.values[0])),
    "actuator.inductance": ("ankle", lambda w: w.motor(inductance=w.values[0])),
    "actuator.kd": ("knee", lambda w: w.servo(20.0, w.values[0])),
    "actuator.kp": ("knee", lambda w: w.servo(w.values[0], 0.5)),
    "actuator.lugre": ("ankle", World.lugre),
    "actuator.motor_constant": ("ankle", lambda w: w.motor(torque_constant=w.values[0] / 16.0)),
    "actuator.resistance": ("ankle", lambda w: w.motor(resistance=w.values[0])),
    "actuator.strength": ("knee", lambda w: w.servo(w.values[0] * 20.0, w.values[0] * 0.5)),
    "actuator.torque_limit": (
        "hip", lambda w: put(w.actuator, "forcerange", np.array([-w.values[0], w.values[0]]))),
    "actuator.voltage": ("ankle", lambda w: w.motor(voltage=w.values[0])),
    "body.gravcomp": ("trunk", lambda w: put(w.body, "gravcomp", w.values)),
    "body.inertia_scale": ("thigh", lambda w: w.mass(w.nominal.body("thigh").mass[0], w.values[0])),
    "body.ipos": ("trunk", lambda w: put(w.body, "ipos", w.values)),
    "body.length": ("thigh", World.link),
    "body.length_at_mass": ("thigh", World.link),
    "body.mass": ("trunk", lambda w: w.mass(w.values[0])),
    "body.payload": ("trunk", World.inertial),
    "body.payload_pos": ("trunk", World.inertial),
    "body.pos": ("shank", lambda w: put(w.body, "pos", w.values)),
    "body.pseudo_inertia": ("trunk", World.inertial),
    "body.rotation": ("shank", lambda w: w.turn(w.body, "quat")),
    "camera.fovy": ("eye", lambda w: put(w.spec.camera("eye"), "fovy", w.values)),
    "camera.pos": ("eye", lambda w: put(w.spec.camera("eye"), "pos", w.values)),
    "camera.rotation": ("eye", lambda w: w.turn(w.spec.camera("eye"), "quat")),
    "geom.friction": ("foot", lambda w: put(w.geom, "friction", w.values)),
    "geom.margin": ("foot", lambda w: put(w.geom, "margin", w.values)),
    "geom.pos": ("foot", lambda w: put(w.geom, "pos", w.values)),
    "geom.restitution": (
        "foot", lambda w: put(w.geom, "solref", w.drawn.geom("foot").solref)),
    "geom.rgba": ("foot", lambda w: put(w.geom, "rgba", w.values)),
    "geom.size": ("trunk", lambda w: put(w.geom, "size", w.values)),
    "geom.solimp": ("foot", lambda w: put(w.geom, "solimp", w.values)),
    "geom.solref": ("foot", lambda w: put(w.geom, "solref", w.values)),
    "geom.tile": ("floor", lambda w: put(w.geom, "pos", w.drawn.geom("floor").pos)),
    "joint.armature": ("hip", lambda w: put(w.joint, "armature", w.values)),
    "joint.damping": ("hip", lambda w: put(w.joint, "damping", w.values)),
    "joint.frictionloss": ("hip", lambda w: put(w.joint, "frictionloss", w.values)),
    "joint.range": ("hip", lambda w: put(w.joint, "range", w.values)),
    "joint.ref": ("knee", lambda w: put(w.joint, "ref", w.values)),
    "joint.springref": ("hip", lambda w: put(w.joint, "springref", w.values)),
    "joint.stiffness": ("hip", lambda w: put(w.joint, "stiffness", w.values)),
    "light.ambient": ("sun", lambda w: put(w.spec.light("sun"), "ambient", w.values)),
    "light.diffuse": ("sun", lambda w: put(w.spec.light("sun"), "diffuse", w.values)),
    "light.pos": ("sun", lambda w: put(w.spec.light("sun"), "pos", w.values)),
    "light.rotation": ("sun", lambda w: w.turn(w.spec.light("sun"), "dir")),
    "light.specular": ("sun", lambda w: put(w.spec.light("sun"), "specular", w.values)),
    "material.reflectance": (
        "skin", lambda w: put(w.spec.material("skin"), "reflectance", w.values)),
    "material.rgba": ("skin", lambda w: put(w.spec.material("skin"), "rgba", w.values)),
    "material.shininess": ("skin", lambda w: put(w.spec.material("skin"), "shininess", w.values)),
    "material.specular": ("skin", lambda w: put(w.spec.material("skin"), "specular", w.values)),
    "opt.density": ("", lambda w: put(w.spec.option, "density", w.values)),
    "opt.gravity": ("", lambda w: put(w.spec.option, "gravity", w.values)),
    "opt.tilt": ("", World.tilt),
    "opt.timestep": ("", lambda w: put(w.spec.option, "timestep", w.values)),
    "opt.viscosity": ("", lambda w: put(w.spec.option, "viscosity", w.values)),
    "opt.wind": ("", lambda w: put(w.spec.option, "wind", w.values)),
    "site.pos": ("imu", lambda w: put(w.spec.site("imu"), "pos", w.values)),
    "site.rotation": ("imu", lambda w: w.turn(w.spec.site("imu"), "quat")),
}  # fmt: skip
BESIDE = {"body.payload_pos": ("body.trunk.payload",)}
"""What else must be there for the term to do anything."""
OF_THE_MODEL = [key for key, term in TERMS.items() if term.fields]


def name_of(key, element):
    kind, attribute = key.split(".")
    return f"{kind}.{element}.{attribute}" if element else key


def parameters_of(key, element, sim):
    """Return the parameters of one element that belong to a term, as a set."""
    size = TERMS[key].size
    names = [f"{name_of(key, element)}[{i}]" for i in range(size)]
    names = names if size > 1 else [name_of(key, element)]
    return ParameterSet(sim.model, tuple(sim.robot.joints), (*names, *BESIDE.get(key, ())))


def drawn_values(key, chosen):
    """Return values (NSIM, size) across the term's usual range, each number its own."""
    u = (0.5 + np.arange(NSIM)[:, None] + 0.37 * np.arange(len(chosen.names))) % NSIM / NSIM
    u = np.clip(u, 0.02, 0.98)
    columns = [
        TERMS[f"{term.name.kind}.{term.name.attribute}"].usual.values(term.nominal, u[:, column])
        for column, term in enumerate(chosen.terms)
    ]
    values = np.array(columns).T * (3.0 if key == "geom.tile" else 1.0)
    return np.clip(values, *chosen.bounds.T)


def command_at(step, robot):
    return resting_command(robot) + 2.0 * np.sin(0.2 * step + np.arange(3))


def compiled_world(key, world):
    """Return the model compiled from the spec that was told the world's numbers."""
    for name in ("trunk", "thigh", "shank", "foot"):  # else inertias come from the geoms
        body, nominal = world.spec.body(name), world.nominal.body(name)
        body.explicitinertial = True
        body.mass, body.ipos, body.iquat = nominal.mass[0], nominal.ipos, nominal.iquat
        body.inertia = nominal.inertia
    if TERMS[key].__module__.endswith(("contact", "geom")):
        # what let_decide takes over from the floor is itself what is drawn
        foot, nominal = world.spec.geom("foot"), world.nominal.geom("foot")
        foot.friction, foot.solref, foot.solimp = nominal.friction, nominal.solref, nominal.solimp
        foot.condim, foot.priority = int(nominal.condim[0]), int(nominal.priority[0])
        COMPILED[key][1](world)
        return world.spec.compile()
    COMPILED[key][1](world)
    model = world.spec.compile()
    let_decide(model, world.robot.deciding_geoms)
    return model


@pytest.mark.parametrize("key", OF_THE_MODEL)
def test_a_drawn_world_is_the_model_compiled_with_its_numbers(key, leg, terrain):
    robot = leg(terrain=terrain if key == "geom.tile" else None)
    sim = MujocoSimulator(robot, NSIM, model=compile_model(robot, max_delay=0.03))
    element, ids = COMPILED[key][0], np.arange(NSIM, dtype=np.int32)
    chosen = parameters_of(key, element, sim)
    values = drawn_values(key, chosen)
    chosen.write(sim, ids, values)
    start = np.tile([0.0, -0.01, 0.05, 0.3, -0.6, 0.3], (NSIM, 1))
    sim.reset(ids, start, 0.0 * start, np.tile(resting_command(robot), (NSIM, 1)))
    data = []
    for i in ids:
        drawn = sim.fields.get_model(int(i))
        world = World(
            make_spec(robot, max_delay=0.03), sim.model, drawn, robot, element,
            values[i, : TERMS[key].size])  # fmt: skip
        model = compiled_world(key, world)
        for field in TERMS[key].fields:
            owner = field.removeprefix("opt.")
            ours, theirs = (getattr(m.opt if field != owner else m, owner) for m in (drawn, model))
            np.testing.assert_array_equal(ours, theirs, err_msg=field)
        data.append((model, mujoco.MjData(model)))
        data[-1][1].qpos[:] = start[i]
        data[-1][1].qpos[:] = sim.fields.bind("qpos")[i]
    for step in range(STEPS):
        command = command_at(step, robot)
        sim.step(np.tile(command, (NSIM, 1)))
        for model, each in data:
            each.ctrl[:] = command
            mujoco.mj_step(model, each, 5)
    np.testing.assert_array_equal(sim.position, [each.qpos for _, each in data])
    np.testing.assert_array_equal(sim.velocity, [each.qvel for _, each in data])
    assert np.isfinite(sim.position).all()
    changes_motion = not key.startswith(("camera", "light", "material", "site"))
    worlds_differ = len(np.unique(sim.position, axis=0)) == NSIM
    assert worlds_differ == (changes_motion and key != "geom.rgba")


def test_every_term_of_the_model_has_its_proof():
    assert sorted(COMPILED) == sorted(OF_THE_MODEL)


def test_every_term_that_the_proof_names_is_on_that_element(leg):
    model = compile_model(leg(), max_delay=0.03)
    missing = []
    for key, (element, _) in COMPILED.items():
        index = "[0]" if TERMS[key].size > 1 else ""
        try:
            make_term(model, name_of(key, element) + index, tuple(leg().joints))
        except ParameterError as error:
            missing.append(str(error))
    assert missing == ["'geom.floor.tile[0]': the geom is no terrain: describe one under [terrain]"
                       " in robot.toml"]  # fmt: skip
