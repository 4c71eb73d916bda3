from pathlib import Path

import pytest

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.errors import ConfigError, ParameterError
from sim2real.shipped import find_robot, folder

MINIMAL = 'robot = "pendulum"\n[parameters]\n"body.bob.mass" = { prior = { scale = [0.5, 2.0] } }\n'


def write(folder: Path, text: str) -> Recipe:
    (folder / "recipe.toml").write_text(text)
    return Recipe.load(folder)


@pytest.mark.parametrize("path", sorted(folder("calibration").glob("*/recipe.toml")), ids=str)
def test_every_shipped_recipe_loads_and_its_robot_exists(path: Path):
    recipe = Recipe.load(path.parent)
    robot = find_robot(recipe.robot)
    assert set(recipe.avoid) <= set(robot.joints)


def test_published_values_are_of_parameters_of_the_recipe(tmp_path: Path):
    known = write(tmp_path, MINIMAL + '[published]\n"body.bob.mass" = 0.6\n')
    assert known.published == {"body.bob.mass": 0.6}
    with pytest.raises(ConfigError, match=r"body\.bob\.mass"):
        write(tmp_path, MINIMAL + '[published]\n"body.bob.mas" = 0.6\n')


def test_how_widely_to_search_can_be_said(tmp_path: Path):
    assert write(tmp_path, MINIMAL).search.starts == 1
    asked = write(tmp_path, MINIMAL + "[search]\nstarts = 4\ngenerations = 20\n")
    assert (asked.search.starts, asked.search.generations) == (4, 20)


def test_a_recipe_needs_little(tmp_path: Path):
    recipe = write(tmp_path, MINIMAL)
    assert recipe.unknowns[0].prior.bounds(0.5) == (0.25, 1.0)
    assert recipe.commands == "sent"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('robot = "p"\n[parameters]\n', "name at least one parameter"),
        (MINIMAL.replace("scale", "times"), "unknown operation 'times'"),
        (MINIMAL.replace("body.bob.mass", "mass"), "is not a parameter name"),
        (MINIMAL + "[windows]\nlength = 1.0\n", "unknown key 'length'"),
        (MINIMAL + "[windows]\nseconds = 0.0\n", "windows: seconds = 0 must be a time from 0.01"),
        (MINIMAL + "[windows]\nseconds = inf\n", "seconds = inf must be a time"),
        (MINIMAL + "[windows]\nstride = 1e-9\n", "stride = 1e-09 must be a time from 0.001"),
        (MINIMAL + "[windows]\nrefine = -1.0\n", "refine = -1 must be a time"),
        (MINIMAL + "[windows]\nmin_motion = -1.0\n", "must not be negative"),
        (MINIMAL + "[windows]\nhorizons = [0.0]\n", "must be times from"),
        (MINIMAL + "[avoid]\nj = [[2.0, 1.0]]\n", r"avoid: j: \[2, 1\] must be"),
        (MINIMAL + "[logs.exclude]\n'a.csv' = [[3.0, 1.0]]\n", r"exclude: a.csv: \[3, 1\]"),
        (MINIMAL + "[excitation]\namplitude = 2.0\n", "amplitude = 2 a share"),
        ("model_error = -0.1\n" + MINIMAL, "a share of the motion"),
        ("compare = ['j', 'j']\n" + MINIMAL, "name each joint once"),
        (MINIMAL + "[known]\n'body.bob.mass' = { fact = 'kg' }\n", "told by the logs"),
        (MINIMAL + '[columns]\ntime = { column = "t", unit = "sec" }\njoints = {}\n', "unit 'sec'"),
        (MINIMAL + '[columns]\ntime = { column = "t" }\njoints = {}\n', "'unit' is missing"),
        (MINIMAL + '[columns]\ntime = { column = "t", unit = "rad" }\njoints = {}\n', "of time"),
        (MINIMAL.replace("} }", "}, bounds = [2, 1] }"), r"must be \[low, high\]"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_reason(tmp_path: Path, text: str, message: str):
    with pytest.raises((ConfigError, ParameterError), match=message):
        write(tmp_path, text)


def test_globs_choose_the_logs_and_a_fitted_log_is_never_held_out(tmp_path: Path):
    recipe = write(tmp_path, MINIMAL + '[logs]\nfit = ["a*.csv"]\nheld_out = ["*.csv"]\n')
    for name in ("a1.csv", "a2.csv", "b.csv"):
        (tmp_path / name).touch()
    assert [path.name for path in recipe.fit_files(tmp_path)] == ["a1.csv", "a2.csv"]
    assert [path.name for path in recipe.held_out_files(tmp_path)] == ["b.csv"]


def test_a_glob_without_a_match_names_the_files_that_are_there(tmp_path: Path):
    recipe = write(tmp_path, MINIMAL + '[logs]\nfit = ["swing.csv"]\n')
    (tmp_path / "swings.csv").touch()
    with pytest.raises(ConfigError, match=r"did you mean 'swings.csv'"):
        recipe.fit_files(tmp_path)


def test_other_parameters_leave_out_what_is_published_of_those_that_go():
    mass, damping = "body.bob.mass", "joint.pivot.damping"
    prior = Parameter(prior={"scale": [0.5, 1.5]})
    recipe = Recipe(
        robot="pendulum", parameters={mass: prior, damping: prior},
        published={mass: 0.6, damping: 0.1},
    )  # fmt: skip
    assert recipe.fitting({mass: prior}).published == {mass: 0.6}
    assert recipe.fitting({"actuator.pivot.delay": prior}).published == {}
