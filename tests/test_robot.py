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
        *("so101", "walker2d", "xl330"),
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
        ("control_hz = 50", "control_hz = inf", ConfigError, "finite"),
        ("control_hz = 50", "control_hz = 50\nphysics_hz = 0", ConfigError, "physics_hz"),
        ("control_hz = 50", "control_hz = 50\nphysics_hz = inf", ConfigError, "physics_hz"),
        ("control_hz = 50", "control_hz = 50\nphysics_hz = nan", ConfigError, "not a number"),
        ("torque = 2.0", "torque = inf", ConfigError, "finite"),
        ("velocity = 10.0", "velocity = 10.0, position = [-1, inf]", ConfigError, "finite"),
        ('"torque"', '"torque"\nkd = -1.0', ConfigError, "kd = -1.0"),
        ('"torque"', '"torque"\nhome = nan', ConfigError, "home: nan is not a number"),
        ('"torque"', '"torque"\naction_scale = 0.0', ConfigError, "action_scale"),
        ('name = "swing_up"', "", ConfigError, "name"),
        ("[task]", "[envelope]\nbraking = { pivt = 1.0 }\n[task]", ConfigError,
         "did you mean 'pivot'"),
        ("[task]", "[envelope]\nbraking = { pivot = 0.0 }\n[task]", ConfigError,
         "braking.pivot = 0.0"),
        ("[task]", "[envelope]\nbraking = -1.0\n[task]", ConfigError, "braking = -1.0"),
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


@pytest.mark.parametrize("package", ["no_such_package.models/a.xml", "/a.xml", ".models/a.xml"])
def test_a_package_that_cannot_be_one_is_refused(tmp_path, package):
    elsewhere = robot(tmp_path, GOOD.replace("arm.xml", f"package:{package}"))
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


TWO = """[randomize]
"body.arm.mass" = { scale = [0.5, 2] }
"joint.pivot.damping" = { set = [0, 1] }
"""


def with_groups(tmp_path, groups, ranges=TWO):
    """Return the robot with `[[correlate]]` tables, one each of `groups`."""
    return robot(tmp_path, GOOD + ranges + "".join(f"[[correlate]]\n{text}\n" for text in groups))


def test_a_group_of_correlated_parameters_may_have_stars(tmp_path):
    both = with_groups(
        tmp_path, ['parameters = ["joint.*.damping", "body.arm.mass"]\ncoefficient = 0.8']
    )
    (group,) = both.correlations
    assert group.parameters == ("joint.pivot.damping", "body.arm.mass")
    assert both.impossible == "error"


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (
            ['parameters = ["body.arm.mas", "joint.pivot.damping"]\ncoefficient = 0.5'],
            "did you mean 'body.arm.mass'",
        ),
        (["parameters = []\ncoefficient = 0.5"], "no parameter alone cannot be correlated"),
        (['parameters = ["joint.*.damping"]\ncoefficient = 0.5'], "name two parameters or more"),
        (
            ['parameters = ["body.arm.mass", "joint.*.damping"]\ncoefficient = 0.5'] * 2,
            "named twice",
        ),
        (['parameters = ["body.arm.mass"]'], "either a coefficient or a matrix"),
        (['parameters = ["joint.*.damping"]\nmatrix = [[1.0]]'], "written out"),
    ],
)
def test_a_group_that_cannot_be_is_refused(tmp_path, groups, says):
    with pytest.raises(Sim2RealError) as caught:
        with_groups(tmp_path, groups)
    assert says in str(caught.value)


def test_parameters_drawn_at_different_times_cannot_be_correlated(tmp_path):
    ranges = TWO.replace("set = [0, 1]", 'set = [0, 1], when = "step"')
    groups = ['parameters = ["body.arm.mass", "joint.pivot.damping"]\ncoefficient = 0.5']
    with pytest.raises(ParameterError, match="different times"):
        with_groups(tmp_path, groups, ranges)


def test_other_ranges_keep_what_is_left_of_a_group(tmp_path):
    ranges = TWO + '"joint.pivot.armature" = { set = [0, 1] }\n'
    names = ["body.arm.mass", "joint.pivot.damping", "joint.pivot.armature"]
    three = with_groups(tmp_path, [f"parameters = {names}\ncoefficient = 0.5"], ranges)
    two = three.with_ranges({name: three.ranges[name] for name in names[1:]})
    assert [group.parameters for group in two.correlations] == [tuple(sorted(names[1:]))]
    assert three.with_ranges({names[0]: three.ranges[names[0]]}).correlations == ()
