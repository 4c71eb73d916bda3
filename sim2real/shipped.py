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


def find_job_file(target: str, kind: str = "") -> Path | None:
    """Return the TOML file of a job: itself, in a folder of results, or in `launch/`.

    Args:
        target: a TOML file, the folder of a run or a model, or a robot.
        kind: what follows the robot in the name of its launch file.

    Returns:
        None for a robot without such a file.

    Raises:
        ConfigError: there is no such robot, either.
    """
    path = Path(target).expanduser()
    launch = folder("launch") / f"{target}{kind}.toml"
    if path.suffix == ".toml":
        return path
    if (path / "job.toml").is_file():
        return path / "job.toml"
    if launch.is_file():
        return launch
    find_robot(target)  # a wrong name is refused here, with the near ones
    return None
