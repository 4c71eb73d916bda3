"""The abstract task: what a robot is to do, as pure functions of arrays.

`observe`, `reward` and `terminated` are written against the array API: the same lines run on numpy
in training, on torch inside a planner and as nodes of the exported ONNX graph. The reward of a
robot with a floating base, and the others, run on numpy.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics

Array = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """The state of n robots at the end of a control step; arrays (n, ...), joints in order.

    In simulation these are the true values, from a recording the measured ones, in a planner what a
    model predicts: arrays of any library.
    """

    position: Any
    velocity: Any
    action: Any
    """What the policy emitted, clipped to [-1, 1], (n, ncommand)."""
    command: Any
    """What was sent, (n, ncommand)."""
    last_command: Any
    """What was sent in the control step before, (n, ncommand)."""
    goal: Any
    """(n, ngoal)."""
    base: BaseState | None = None
    """For robots with a floating base."""
    tip_position: Array | None = None
    """(n, 3), in simulation, for tasks that need it."""
    tip_rotation: Array | None = None
    """(n, 3, 3)."""


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """What every `[task]` table can say; each task adds its own and chooses the defaults."""

    name: str
    episode_seconds: float
    hold_seconds: float
    """An episode succeeded if `success` held throughout its last `hold_seconds`."""
    effort_weight: float
    """Of the effort, which the reward charges for; what it measures is the task's."""


class Task(ABC):
    """What a robot is to do. Each subclass is final and is constructed by its `of(robot)`."""

    options: TaskOptions
    nobs: int
    """Size of an observation."""
    needs_tip: ClassVar[bool] = False
    """Whether a `State` of the simulation tells where the tip is."""
    ngoal: ClassVar[int] = 0
    """Size of the goal; 0 for tasks without one."""
    ngoal_uniforms: int = 0
    """How many uniform numbers `draw_goal` takes."""
    nstart: int
    """How many uniform numbers `start` takes."""

    @classmethod
    @abstractmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Task":
        """Return the task for a robot, from its `[task]` table; raises ConfigError."""

    @abstractmethod
    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return observations (n, nobs) of what is measured and the command before; any arrays."""

    @abstractmethod
    def reward(self, state: State) -> Any:
        """Return the reward (n,) of a control step that ended in `state`; any arrays."""

    @abstractmethod
    def terminated(self, state: State) -> Any:
        """Return which robots have failed for good, (n,); any arrays."""

    @abstractmethod
    def success(self, state: State) -> NDArray[np.bool_]:
        """Return which robots do at this instant what they are to do, (n,)."""

    @abstractmethod
    def start(self, u: Array) -> tuple[Array, Array, BaseState | None]:
        """Return start position and velocity (n, njoint), and base, from uniforms (n, nstart)."""

    def estimate_base(self, measured: Measured) -> BaseState | None:
        """Return what measurements (n, size) tell of a floating base, None without one.

        What they do not tell is NaN: without more knowledge, where it is and how fast.
        """
        if measured.orientation is None:
            return None
        unknown = np.full((len(measured.position), 3), np.nan)
        return BaseState(
            position=unknown,
            orientation=measured.orientation,
            linear_velocity=unknown,
            angular_velocity=measured.angular_velocity,
        )

    def draw_goal(self, u: Array) -> Array:
        """Return goals (n, ngoal) from uniforms `u` (n, ngoal_uniforms)."""
        return np.zeros((len(u), 0))

    def default_goal(self) -> Array:
        """Return the goal (ngoal,) that a controller pursues when it is given none."""
        return np.zeros(0)
