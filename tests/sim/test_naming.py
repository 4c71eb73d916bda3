"""What a model file leaves unnamed can be named in robot.toml all the same."""

import mujoco
import numpy as np
import pytest

from sim2real.randomization.inventory import inventory
from sim2real.robot import Joint, Limits
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model
from sim2real.sim.naming import name_the_unnamed

MOTOR = Joint(mode="torque", limits=Limits(torque=3.0, velocity=10.0))


def named(mjcf):
    spec = mujoco.MjSpec.from_string(f"<mujoco>{mjcf}</mujoco>")
    name_the_unnamed(spec)
    return spec.compile()


def names(model, kind, count):
    return [getattr(model, kind)(i).name for i in range(count)]


@pytest.mark.parametrize(
    ("inside", "name"),
    [
        ('<joint name="knee"/><geom name="shin" size=".1"/>', "knee"),
        ('<joint/><geom name="shin" size=".1"/>', "shin"),
        ('<geom size=".1"/><site name="toe"/>', "toe"),
        ('<geom size=".1"/>', "world_child"),
        ('<geom name="leg" size=".1"/>', "leg_0"),  # another body's name
    ],
)
def test_a_body_is_called_as_the_first_in_it_that_has_a_name(inside, name):
    model = named(
        f'<worldbody><body name="leg"><geom size=".1"/></body><body>{inside}</body></worldbody>'
    )
    assert names(model, "body", model.nbody) == ["world", "leg", name]


def test_what_is_in_a_body_is_called_as_the_body():
    model = named("""<worldbody><geom type="plane" size="1 1 1"/>
        <body name="leg"><joint/><geom size=".1"/><geom size=".2"/><site/>
        <body><geom name="leg_0" size=".1"/></body></body></worldbody>""")
    assert names(model, "joint", 1) == ["leg"]
    assert names(model, "site", 1) == ["leg"]
    assert names(model, "geom", 4) == ["world", "leg_0_0", "leg_1", "leg_0"]  # the file's own stays


def test_every_body_of_the_ant_can_be_randomized():
    robot = find_robot("ant")
    model = compile_model(robot)
    listed = {entry.name for entry in inventory(robot, model)}
    for ankle in ("ankle_1", "ankle_2", "ankle_3", "ankle_4"):
        assert f"body.{ankle}.mass" in listed
    assert all(f"body.{model.body(i).name}.mass" in listed for i in range(1, model.nbody))


def test_links_of_a_urdf_have_geoms_with_names(make_robot, tmp_path):
    robot = make_robot("", {"elbow": MOTOR})
    (tmp_path / "robot.xml").write_text("""<robot name="arm"><link name="base"/><link name="fore">
      <inertial><mass value="1"/><inertia ixx=".1" iyy=".1" izz=".1" ixy="0" ixz="0" iyz="0"/>
      </inertial><collision><geometry><sphere radius="0.1"/></geometry></collision></link>
      <joint name="elbow" type="revolute"><parent link="base"/><child link="fore"/>
      <axis xyz="0 1 0"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>""")
    listed = {entry.name: entry.nominal for entry in inventory(robot, compile_model(robot))}
    np.testing.assert_allclose(listed["geom.fore.friction[0]"], 1.0)
