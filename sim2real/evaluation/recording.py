"""Return and success of a recorded episode, by the task's own functions on measured states."""

from dataclasses import dataclass

import numpy as np

from sim2real.control import ActionMap
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
    """
    n = len(trajectory.time) - 1
    command = trajectory.command[:-1]
    last = np.concatenate([command[:1], command[:-1]])
    state = State(
        position=trajectory.position[1:],
        velocity=trajectory.velocity[1:],
        action=ActionMap.of(robot).action(command, last),
        command=command,
        last_command=last,
        goal=np.broadcast_to(goal, (n, len(goal))),
    )
    failed = task.terminated(state)
    end = int(np.argmax(failed)) + 1 if failed.any() else n
    hold = min(round(task.options.hold_seconds * robot.control_hz), n)
    success = not failed.any() and bool(task.success(state)[-hold:].all())
    return Score(float(task.reward(state)[:end].sum()), success, end)
