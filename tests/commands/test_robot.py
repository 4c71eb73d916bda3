"""The verb `robot`: the virtual stand-in of every robot starts as it ships."""

import json
from pathlib import Path

import pytest

from sim2real.commands import robot
from sim2real.errors import Sim2RealError
from sim2real.shipped import robot_names


@pytest.mark.parametrize("engine", ["bullet", "mujoco"])
@pytest.mark.parametrize("name", robot_names())
def test_every_shipped_robot_has_a_virtual_one(name: str, engine: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    where = ["--address", "127.0.0.1:0", "--seconds", "0.02", "--truth", str(truth)]
    robot.main([name, "--engine", engine, *where])
    assert json.loads(truth.read_text())["engine"] == engine


@pytest.mark.parametrize("drawn", [[], ["--nominal"]])
def test_a_virtual_robot_breaks_while_it_runs(drawn: list[str], tmp_path: Path, capsys) -> None:
    truth = tmp_path / "truth.json"
    where = ["--address", "127.0.0.1:0", "--seconds", "0.02", "--truth", str(truth), *drawn]
    broken = ["--fault", "actuator.pivot.gain", "0.0", "--fault-after", "0.0"]
    robot.main(["pendulum", *where, *broken])
    assert "actuator.pivot.gain is 0 from now on" in capsys.readouterr().err
    assert json.loads(truth.read_text())["planted"]["actuator.pivot.gain"] > 0.0  # as it began


def test_a_fault_of_a_part_that_there_is_not_is_refused() -> None:
    with pytest.raises(Sim2RealError, match="nothing"):
        robot.main(
            ["pendulum", "--address", "127.0.0.1:0", "--fault", "actuator.nothing.gain", "0"]
        )
