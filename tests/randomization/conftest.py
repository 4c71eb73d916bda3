"""A robot that has everything that a term can change: a leg with three kinds of drive."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sim2real.robot import Joint, Limits, LuGre, Motor, Robot, Terrain

LEG = """<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.002" integrator="implicitfast" density="1.2" viscosity="0.01" wind="1 0 0"/>
  <asset><material name="skin" rgba="0.8 0.4 0.3 1" specular="0.4" shininess="0.3"
    reflectance="0.2"/></asset>
  <default><geom margin="0.001" solref="0.02 0.5"/></default>
  <worldbody>
    <light name="sun" pos="0 0 3" dir="0 0.6 -0.8" diffuse="0.5 0.5 0.5" ambient="0.2 0.2 0.2"
      specular="0.3 0.3 0.3"/>
    <camera name="eye" pos="0 -2 1" quat="0.8 0.6 0 0" fovy="50"/>
    <geom name="floor" type="plane" size="5 5 0.1" friction="0.5 0.005 0.0001"/>
    <body name="trunk" pos="0 0 0.6" gravcomp="0.3">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="z" type="slide" axis="0 0 1"/>
      <joint name="pitch" axis="0 1 0" stiffness="5" springref="0.1"/>
      <inertial pos="0.01 0.002 0.03" mass="2" diaginertia="0.02 0.03 0.015"
        quat="0.9 0.1 0.3 0.2"/>
      <geom name="trunk" type="box" size="0.2 0.1 0.05"/>
      <site name="imu" pos="0.1 0 0"/>
      <body name="thigh" pos="0 0 -0.05">
        <joint name="hip" axis="0 1 0" range="-1.5 0.2" limited="true" damping="0.2"
          stiffness="1" springref="0.1" armature="0.01" frictionloss="0.1"/>
        <geom name="thigh" type="capsule" pos="0 0 -0.125" size="0.03 0.125" mass="0.6"/>
        <site name="shin" pos="0 0 -0.1"/>
        <body name="shank" pos="0 0 -0.25">
          <joint name="knee" axis="0 1 0" damping="0.1" armature="0.01"/>
          <geom name="shank" type="capsule" fromto="0 0 0 0 0 -0.25" size="0.025" mass="0.3"/>
          <body name="foot" pos="0 0 -0.25">
            <joint name="ankle" axis="0 1 0" armature="0.001"/>
            <geom name="foot" type="sphere" size="0.04" mass="0.1" condim="6" material="skin"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>"""
LIMITS = Limits(torque=30.0, velocity=30.0, position=(-2.0, 2.0))
MOTOR = Motor(
    resistance=2.0, torque_constant=0.05, voltage=12.0, gear=16.0, rotor_inertia=2.0**-20,
    inductance=0.001, cogging=(0.01, 6.0),
    lugre=LuGre(stiffness=50.0, damping=0.5, coulomb=0.05, static=0.08, stribeck=0.2),
)  # fmt: skip
JOINTS = {
    "x": Joint(mode="passive"),
    "z": Joint(mode="passive"),
    "pitch": Joint(mode="passive"),
    "hip": Joint(mode="torque", limits=Limits(torque=1.5, velocity=30.0)),
    "knee": Joint(mode="position", limits=LIMITS, kp=20.0, kd=0.5, action_scale=1.0),
    "ankle": Joint(
        mode="position", limits=LIMITS, kp=5.0, kd=0.1, action_scale=1.0, motor=MOTOR
    ),
}  # fmt: skip


@pytest.fixture
def leg(tmp_path: Path) -> Callable[..., Robot]:
    """Return a function that makes the robot; options are fields of Robot."""

    def make(**changes: Any) -> Robot:
        (tmp_path / "leg.xml").write_text(LEG)
        fields: dict[str, Any] = {"deciding_geoms": ("foot",), "control_hz": 100.0, **changes}
        return Robot(
            name="leg", folder=tmp_path, model="leg.xml", joints=JOINTS, task={"name": "none"},
            **fields)  # fmt: skip

    return make


@pytest.fixture
def terrain() -> Terrain:
    """Return a small terrain instead of the robot's floor."""
    return Terrain(replaces="floor", kinds=("slope", "rough"), levels=3, edge=3.0, platform=0.5)


@pytest.fixture
def make_robot(tmp_path: Path) -> Callable[..., Robot]:
    """Return a robot from the text of an MJCF's elements; by default with one weak motor."""

    def make(mjcf: str, joints: dict[str, Joint] | None = None, **fields: Any) -> Robot:
        (tmp_path / "robot.xml").write_text(f"<mujoco>{mjcf}</mujoco>")
        weak = {"j": Joint(mode="torque", limits=Limits(torque=100.0, velocity=100.0))}
        numbers: dict[str, Any] = {"control_hz": 100.0, "task": {"name": "none"}, **fields}
        return Robot(
            model="robot.xml", joints=joints or weak, name="test", folder=tmp_path, **numbers
        )

    return make
