"""The package as others get it: a wheel with the files about a lab inside, on the base install."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from sim2real import shipped

ROOT = Path(__file__).parents[1]
KINDS = ("robots", "calibration", "launch")


def call(*command: object, folder: Path = Path("/"), code: int = 0) -> subprocess.CompletedProcess:
    """Run a command as a user would: away from the checkout, with nothing of this environment."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=clean, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    call(sys.executable, *build, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bin_folder(wheel, tmp_path_factory) -> Path:
    """The commands of a new environment with the wheel and the base dependencies, no more."""
    folder = tmp_path_factory.mktemp("robots-computer")
    venv.create(folder, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python")
    call(*pip, "install", "--quiet", "--no-input", "--disable-pip-version-check", wheel)
    return folder / "bin"


def test_the_wheel_holds_every_file_about_a_lab(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    for kind in KINDS:
        for path in (ROOT / kind).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"sim2real/data/{path.relative_to(ROOT)}" in held


def test_the_wheel_holds_the_licence_and_no_other_top_level_package(wheel):
    held = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in held}
    assert top == {"sim2real", next(name for name in top if name.endswith(".dist-info"))}
    assert any(name.endswith("licenses/LICENSE") for name in held)
    assert "sim2real/py.typed" in held


def test_shipped_files_are_found_in_a_checkout():
    for kind in KINDS:
        assert shipped.folder(kind) == ROOT / kind


def test_shipped_files_are_found_in_an_installed_wheel(bin_folder):
    code = f"from sim2real import shipped; print(*map(shipped.folder, {KINDS}), sep='\\n')"
    lines = call(bin_folder / "python", "-c", code).stdout.splitlines()
    for kind, line in zip(KINDS, lines, strict=True):
        assert line.endswith(f"site-packages/sim2real/data/{kind}")
        assert Path(line).is_dir()


def test_the_base_install_knows_the_robots(bin_folder):
    assert "usage: sim2real VERB" in call(bin_folder / "sim2real", "--help").stdout
    robots = json.loads(call(bin_folder / "sim2real", "robots", "--json").stdout)
    assert [robot["name"] for robot in robots] == shipped.robot_names()
    assert "swing" in call(bin_folder / "sim2real", "robots", "pendulum").stdout


def test_the_base_install_runs_controllers(bin_folder):
    code = "import sim2real.deploy.loop, sim2real.deploy.controller, sim2real.deploy.drivers.udp"
    call(bin_folder / "python", "-c", code)
    done = call(bin_folder / "sim2real", "deploy", "no.onnx", "--robot", "pendulum", code=2)
    assert "no.onnx" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["train", "pendulum"], "torch", "training"),
        (["export", "run"], "torch", "training"),
        (["robot", "pendulum"], "mujoco", "bullet"),
        (["robots", "pendulum", "--parameters"], "mujoco", "sim"),
        (["demo"], "torch", "all"),
    ],
)
def test_the_base_install_says_which_extra_a_verb_needs(bin_folder, arguments, package, extra):
    done = call(bin_folder / "sim2real", *arguments, code=2)
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"the package '{package}'" in done.stderr
    assert f"sim2real[{extra}]" in done.stderr
