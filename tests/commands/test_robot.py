"""The verb `robot`: the virtual stand-in of every robot starts as it ships."""

import json
from pathlib import Path

import pytest

from sim2real.commands import robot
from sim2real.shipped import robot_names


@pytest.mark.parametrize("engine", ["bullet", "mujoco"])
@pytest.mark.parametrize("name", robot_names())
def test_every_shipped_robot_has_a_virtual_one(name: str, engine: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    where = ["--address", "127.0.0.1:0", "--seconds", "0.02", "--truth", str(truth)]
    robot.main([name, "--engine", engine, *where])
    assert json.loads(truth.read_text())["engine"] == engine
