"""Where the files about a lab are: at the top of a checkout, or inside the installed package."""

from pathlib import Path
from typing import Literal

from sim2real.errors import RobotError, known
from sim2real.robot import Robot

_PACKAGE = Path(__file__).parent


def folder(kind: Literal["robots", "calibration", "launch"]) -> Path:
    """Return the folder that ships with the package: robots, calibration recipes or jobs."""
    installed = _PACKAGE / "data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def robot_names() -> list[str]:
    """Return the names of the robots that ship with the package."""
    return sorted(path.parent.name for path in folder("robots").glob("*/robot.toml"))


def find_robot(name: str) -> Robot:
    """Return the robot of a shipped name or in a folder anywhere; raises RobotError."""
    if name in robot_names():
        return Robot.load(folder("robots") / name)
    path = Path(name).expanduser()
    if path.is_dir():
        return Robot.load(path)
    raise RobotError(
        f"no robot {name!r}: give a folder with a robot.toml, or a shipped robot"
        f"{known(name, robot_names())}"
    )
