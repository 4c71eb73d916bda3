import dataclasses

import pytest

from sim2real import shipped
from sim2real.deploy.spec import robot_hash
from sim2real.errors import ConfigError, ParameterError, RobotError, Sim2RealError
from sim2real.robot import Robot

GOOD = """
model = "arm.xml"
control_hz = 50
[task]
name = "swing_up"
[joints.pivot]
mode = "torque"
limits = { torque = 2.0, velocity = 10.0 }
"""


def robot(folder, text=GOOD, model="<mujoco/>"):
    (folder / "robot.toml").write_text(text)
    if model:
        (folder / "arm.xml").write_text(model)
    return Robot.load(folder)


def test_every_shipped_robot_loads():
    assert shipped.robot_names() == [
        *("ant", "double_pendulum", "half_cheetah", "hopper", "pendulum", "quadruped", "reacher"),
        *("so101", "walker2d"),
    ]
    for name in shipped.robot_names():
        assert shipped.find_robot(name).name == name


def test_a_robot_outside_the_package_is_found_by_its_folder(tmp_path):
    robot(tmp_path)
    assert shipped.find_robot(str(tmp_path)).name == tmp_path.name


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ("control_hz", "contrl_hz", ConfigError, "did you mean 'control_hz'"),
        ("torque = 2.0", "torque = -2.0", ConfigError, "above 0"),
        ('"torque"', '"position"', ConfigError, "position mode needs kp"),
        ('"torque"', '"torqe"', ConfigError, "did you mean 'torque'"),
        ("control_hz = 50", "control_hz = 0", ConfigError, "above 0"),
        ('name = "swing_up"', "", ConfigError, "name"),
        ("[task]", '[randomize]\n"body.x.mass" = { scale = [2, 1] }\n[task]', ParameterError,
         "inverted"),
        ("[task]", '[randomize]\n"bodymass" = { scale = [1, 2] }\n[task]', ParameterError,
         "kind.object.attribute"),
        ("[task]", '[randomize]\n"body.x.mass" = { scael = [1, 2] }\n[task]', ParameterError,
         "did you mean 'scale'"),
    ],
)  # fmt: skip
def test_a_wrong_robot_is_refused_with_what_to_do(tmp_path, old, new, error, says):
    with pytest.raises(error) as caught:
        robot(tmp_path, GOOD.replace(old, new))
    assert says in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(RobotError, match="no model file"):
        robot(tmp_path, model=None)


def test_a_folder_without_robot_toml_is_refused(tmp_path):
    with pytest.raises(RobotError, match=r"no robot\.toml"):
        shipped.find_robot(str(tmp_path))


def test_a_model_in_a_package_that_is_not_installed_is_refused(tmp_path):
    elsewhere = robot(tmp_path, GOOD.replace("arm.xml", "package:no_such_package/arm.xml"))
    with pytest.raises(RobotError, match="not installed"):
        _ = elsewhere.model_path


def test_all_these_errors_are_caught_as_one():
    assert issubclass(RobotError, Sim2RealError)


def test_a_star_stands_for_all_joints_and_an_exact_name_wins(tmp_path):
    text = GOOD + '[joints.slide]\nmode = "passive"\n[randomize]\n'
    text += '"joint.*.damping" = { scale = [0.5, 2] }\n"joint.slide.damping" = { set = [0, 1] }\n'
    text += '"actuator.*.gain" = { scale = [0.9, 1.1] }\n'
    ranges = robot(tmp_path, text).ranges
    assert set(ranges) == {"joint.pivot.damping", "joint.slide.damping", "actuator.pivot.gain"}
    assert ranges["joint.slide.damping"].operation == "set"


@pytest.mark.parametrize("name", ["body.*.mass", "joint.*.*", "*.*.mass", "joint.p*.damping"])
def test_a_star_elsewhere_is_refused(tmp_path, name):
    text = GOOD + f'[randomize]\n"{name}" = {{ scale = [0.5, 2] }}\n'
    with pytest.raises(ParameterError, match="star"):
        robot(tmp_path, text)


def test_the_hash_changes_with_what_a_controller_relies_on_and_only_then():
    pendulum = shipped.find_robot("pendulum")
    assert robot_hash(pendulum) == robot_hash(dataclasses.replace(pendulum, description="other"))
    assert robot_hash(pendulum) != robot_hash(dataclasses.replace(pendulum, control_hz=50))
