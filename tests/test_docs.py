"""Generated pages are what their scripts write; examples are what the package reads."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from sim2real import config
from sim2real.calibration.recipe import Recipe

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_parameters_is_up_to_date():
    spec = importlib.util.spec_from_file_location("parameters_page", DOCS / "parameters.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = script.PAGE.read_text(encoding="utf-8")
    assert written == script.page(), "run: python docs/parameters.py"


EXAMPLES = re.findall(r"```toml\n(.*?)```", (DOCS / "logs.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_logs_are_parts_of_recipes(example):
    fitted = {"body.bob.mass": {"prior": {"scale": [0.5, 1.5]}}}
    recipe = {"robot": "pendulum", "parameters": fitted, **tomllib.loads(example)}
    read = config.from_dict(Recipe, recipe)
    assert read.columns is not None or read.topics is not None


def test_every_benchmark_is_in_the_list_of_benchmarks():
    folder = DOCS.parent / "benchmarks"
    scripts = {path.relative_to(folder).as_posix() for path in folder.glob("**/[a-z]*.py")}
    listed = re.findall(r"^\| \[`(.*?)`\]\(\1\)", (folder / "README.md").read_text("utf-8"), re.M)
    assert sorted(listed) == sorted(scripts)
