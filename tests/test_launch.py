"""What starts things on other machines: units and launch files parse, and name verbs that exist."""

import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sim2real import config
from sim2real.cli import VERBS
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.job import DynamicsJob
from sim2real.shipped import find_robot
from sim2real.training.job import Job

LAUNCH = Path(__file__).parents[1] / "launch"
UNITS = sorted((LAUNCH / "systemd").glob("*.service"))
ROS2 = LAUNCH / "ros2" / "sim2real.launch.xml"


def commands():
    """The command lines of all files, without their program."""
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.M):
            yield unit.name, shlex.split(line)[1:]
    for node in ET.parse(ROS2).getroot().iter("executable"):
        yield ROS2.name, shlex.split(re.sub(r"\$\([^)]*\)", "1", node.attrib["cmd"]))[1:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
@pytest.mark.parametrize("drop_in", [None, "jetson.conf"])
def test_systemd_accepts_the_units(unit, drop_in, tmp_path):
    if (systemd := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze")
    for each in UNITS:  # what does not exist on this computer is none of the unit's mistakes
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", each.read_text())
        (tmp_path / each.name).write_text(re.sub(r"(?m)^User=.*", "User=root", text))
    if drop_in is not None:
        folder = tmp_path / f"{unit.name}.d"
        folder.mkdir()
        shutil.copy(LAUNCH / "systemd" / drop_in, folder)
    done = subprocess.run(
        [systemd, "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True, text=True, check=False, env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert (complaints, done.returncode) == ([], 0), done.stderr


@pytest.mark.parametrize(("where", "command"), list(commands()), ids=lambda value: str(value)[:30])
def test_command_lines_are_understood(where, command, sim2real_options):
    verb, *arguments = command
    assert verb in VERBS, where
    known = sim2real_options(verb)
    given = {argument for argument in arguments if argument.startswith("--")}
    assert given <= known, f"{where}: {given - known}"


@pytest.fixture
def sim2real_options(capsys):
    """The options of a verb, as its help tells them."""
    from sim2real.cli import main

    def options(verb):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        return set(re.findall(r"--[a-z0-9.-]+", capsys.readouterr().out))

    return options


def test_the_ros_2_launch_file_declares_what_it_uses():
    root = ET.parse(ROS2).getroot()
    declared = {node.attrib["name"] for node in root.iter("arg")}
    used = set(re.findall(r"\$\(var (\w+)\)", ROS2.read_text()))
    assert root.tag == "launch"
    assert used == declared


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.toml")), ids=lambda path: path.name)
def test_jobs_are_jobs(path):
    assert RobotVectorEnv(robot_of_job(path), 1).reset()[0].shape[0] == 1


def robot_of_job(path):
    if path.stem.endswith("_dynamics"):
        return config.load(DynamicsJob, path).find_robot()
    return find_robot(config.load(Job, path).robot)
