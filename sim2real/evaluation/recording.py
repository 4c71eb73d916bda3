"""Return and success of a recorded episode, by the task's own functions on measured states."""

from dataclasses import dataclass

import numpy as np

from sim2real.control import ActionMap
from sim2real.errors import LogError
from sim2real.robot import Robot
from sim2real.tasks import State, Task
from sim2real.trajectory import Trajectory


@dataclass(frozen=True)
class Score:
    """What a recorded episode was worth."""

    total: float
    """Sum of rewards over the episode's control steps."""
    success: bool
    steps: int


def score(trajectory: Trajectory, robot: Robot, task: Task, goal: np.ndarray) -> Score:
    """Return the score of a recording at the robot's control rate.

    A row's command acts until the next row, so row k + 1 is the end of control step k. `goal`
    (ngoal,) is what was pursued.

    Raises:
        LogError: the task is judged by what the robot's sensors do not tell.
    """
    n = len(trajectory.time) - 1
    measured = trajectory.measured.of(slice(1, None))
    command = trajectory.command[:-1]
    last = np.concatenate([command[:1], command[:-1]])
    state = State(
        position=measured.position,
        velocity=measured.velocity,
        action=ActionMap.of(robot).action(command, last),
        command=command,
        last_command=last,
        goal=np.broadcast_to(goal, (n, len(goal))),
        base=task.estimate_base(measured),
    )
    reward = task.reward(state)
    if np.isnan(reward).any():
        raise LogError(
            f"{trajectory.source}: {robot.name!r} measures no velocity of its base, by which the"
            f" task {robot.task['name']!r} is judged: such a recording cannot be scored"
        )
    failed = task.terminated(state)
    end = int(np.argmax(failed)) + 1 if failed.any() else n
    hold = min(round(task.options.hold_seconds * robot.control_hz), n)
    success = not failed.any() and bool(task.success(state)[-hold:].all())
    return Score(float(reward[:end].sum()), success, end)
