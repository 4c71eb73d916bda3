"""A recorded file of any known format becomes a trajectory in SI units."""

from pathlib import Path

from sim2real.calibration.logs.bags import SUFFIXES, is_bag, open_bag, read_bag
from sim2real.calibration.logs.mcap_bag import is_recording
from sim2real.calibration.logs.tables import TABLES, read_table
from sim2real.calibration.recipe import Recipe
from sim2real.errors import LogError, known
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

FORMATS = tuple(sorted((*TABLES, *SUFFIXES)))
"""Endings of files that can be read; a folder that rosbag2 wrote can be, too."""


def read_log(path: Path, recipe: Recipe, robot: Robot) -> Trajectory:
    """Return the log's trajectory, joints in the robot's order.

    Raises:
        LogError: the file is no log of this robot, or its rows are damaged.
    """
    if not path.exists():
        raise LogError(f"{path}: no such file")
    if is_recording(path):
        return _recording(path, robot)
    if is_bag(path):
        if recipe.topics is None:
            raise LogError(f"{path}: the recipe has no [topics] that says what its topics mean")
        return read_bag(open_bag(path), recipe.topics, robot)
    if path.suffix not in TABLES:
        raise LogError(f"{path}: format {path.suffix!r}{known(path.suffix, FORMATS)}")
    if recipe.columns is None:
        raise LogError(f"{path}: the recipe has no [columns] that says what its columns mean")
    return read_table(TABLES[path.suffix](path), recipe.columns, robot)


def _recording(path: Path, robot: Robot) -> Trajectory:
    from sim2real.deploy.recording import read_recording

    log, _ = read_recording(path)
    if log.joints != tuple(robot.joints) or log.driven != robot.driven:
        raise LogError(
            f"{path}: joints {', '.join(log.joints)} (driven: {', '.join(log.driven)}), but robot"
            f" {robot.name!r} has {', '.join(robot.joints)} (driven: {', '.join(robot.driven)})"
        )
    return log
