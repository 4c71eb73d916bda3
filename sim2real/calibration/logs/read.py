"""A recorded file of any known format becomes a trajectory in SI units."""

from pathlib import Path

from sim2real.calibration.logs.bags import is_bag, open_bag, read_bag
from sim2real.calibration.logs.formats import unreadable
from sim2real.calibration.logs.mcap_bag import is_recording
from sim2real.calibration.logs.tables import TABLES, read_table
from sim2real.calibration.plausibility.check import require_plausible
from sim2real.calibration.recipe import Recipe
from sim2real.errors import LogError
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory


def read_log(path: Path, recipe: Recipe | None, robot: Robot) -> Trajectory:
    """Return the log's trajectory, joints in the robot's order, if nothing speaks against it.

    Raises:
        LogError: the file is no log of this robot, its rows are damaged, or they contradict each
            other or the robot in a way that the recipe does not accept.
    """
    log = read_rows(path, recipe, robot)
    require_plausible(log, robot, recipe.logs.accept if recipe else ())
    return log


def read_rows(path: Path, recipe: Recipe | None, robot: Robot) -> Trajectory:
    """Return the log's trajectory, joints in the robot's order, whether plausible or not.

    Args:
        path: the file, or the folder that rosbag2 wrote.
        recipe: says what columns or topics mean; a recording of the package needs none.
        robot: the robot that was recorded.

    Raises:
        LogError: the file is no log of this robot, or its rows are damaged.
    """
    if not path.exists():
        raise LogError(f"{path}: no such file")
    if is_recording(path):
        return _recording(path, robot)
    if is_bag(path):
        bag = open_bag(path)
        if recipe is None or recipe.topics is None:
            raise LogError(f"{path}: it needs a recipe with [topics] that say what its topics mean")
        return read_bag(bag, recipe.topics, robot)
    if path.suffix not in TABLES:
        raise unreadable(path)
    if recipe is None or recipe.columns is None:
        raise LogError(f"{path}: it needs a recipe with [columns] that say what its columns mean")
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
