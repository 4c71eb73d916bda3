"""Tasks: reward, termination, observation and start as array functions."""

from sim2real.errors import ConfigError, known
from sim2real.robot import Robot
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.reach import Reach
from sim2real.tasks.reach_point import ReachPoint
from sim2real.tasks.run import Run
from sim2real.tasks.swing_up import SwingUp
from sim2real.tasks.task import State, Task
from sim2real.tasks.track_velocity import TrackVelocity

__all__ = ["TASKS", "State", "Task", "make_task"]

TASKS: dict[str, type[Task]] = {
    "reach": Reach,
    "reach_point": ReachPoint,
    "run": Run,
    "swing_up": SwingUp,
    "track_velocity": TrackVelocity,
}
"""`name` in a robot's `[task]` table → the task."""


def make_task(robot: Robot, kinematics: Kinematics) -> Task:
    """Return the robot's task; raises ConfigError for a wrong name or option."""
    name = robot.task["name"]
    if name not in TASKS:
        raise ConfigError(f"robot {robot.name!r}: unknown task {name!r}{known(str(name), TASKS)}")
    return TASKS[name].of(robot, kinematics)
