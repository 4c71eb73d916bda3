"""Bring the fingertip to a pose."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.arrays import namespace
from sim2real.errors import ConfigError
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task, TaskOptions

_CANDIDATES = 8  # drawn for each goal; the first above the floor is taken


@dataclass(frozen=True, kw_only=True)
class ReachOptions(TaskOptions):
    """The `[task]` table."""

    name: str = "reach"
    episode_seconds: float = 4.0
    hold_seconds: float = 0.4
    reach: float = 0.6
    """Share of each joint's range from which goals and starts are drawn."""
    floor: float = 0.05
    """Goals lie at least this high above the base [m]."""
    distance: float = 0.03
    """The tip is there within this distance [m] ..."""
    angle: float = 0.35
    """... and this angle [rad]."""
    effort_weight: float = 0.02


@final
class Reach(Task):
    """The goal is a pose that the arm can take: 3 coordinates and the tip frame's x and y axes.

    Drawn as the pose at random joint positions, so that arms with fewer than six joints have only
    goals that they can reach.
    """

    needs_tip = True
    ngoal = 9

    def __init__(self, options: ReachOptions, robot: Robot, kinematics: Kinematics):
        self.options = self._options = options
        self._kinematics = kinematics
        limits = [joint.limits.position for joint in robot.joints.values() if joint.limits]
        low, high = np.array(limits).T
        self._centre, self._span = (low + high) / 2, options.reach * (high - low)
        self.nobs = 3 * len(limits) + 6
        self.nstart = len(limits)
        self.ngoal_uniforms = _CANDIDATES * len(limits)

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "Reach":  # noqa: D102
        if robot.tip is None or any(joint.mode != "position" for joint in robot.joints.values()):
            raise ConfigError(
                f"robot {robot.name!r}: the task reach needs a tip and joints in position mode"
            )
        options = config.from_dict(ReachOptions, robot.task, f"{robot.name}: task")
        return cls(options, robot, kinematics)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return the joints, and the way from the tip to the goal in the tip's own frame."""
        position, velocity = measured.position, measured.velocity
        xp = namespace(position)
        tip, rotation = self._kinematics.tip(position)
        way = _in_frame(rotation, goal[:, :3] - tip)
        turn = _turn(xp, _in_frame(rotation, goal[:, 3:6]), _in_frame(rotation, goal[:, 6:9]))
        parts = [position, velocity / 5.0, command - position, way * 4.0, turn]
        return xp.concat(parts, axis=-1)

    def reward(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.position)
        distance, angle = self.error(state)
        near = xp.exp(-((distance / 0.05) ** 2)) * xp.exp(-((angle / 0.4) ** 2))
        effort = xp.mean(state.action**2, axis=1)
        return 1.0 - 2.0 * distance - 0.2 * angle + near - self._options.effort_weight * effort

    def terminated(self, state: State) -> Any:  # noqa: D102
        xp = namespace(state.position)
        return ~xp.all(xp.isfinite(state.position), axis=1)

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        distance, angle = self.error(state)
        return (distance < self._options.distance) & (angle < self._options.angle)

    def error(self, state: State) -> tuple[Any, Any]:
        """Return the tip's distance [m] and angle [rad] from the goal, each (n,)."""
        tip, rotation = state.tip_position, state.tip_rotation
        if tip is None or rotation is None:  # a recording, or a planner's model: from the joints
            tip, rotation = self._kinematics.tip(state.position)
        xp = namespace(tip)
        distance = xp.sqrt(xp.sum((tip - state.goal[:, :3]) ** 2, axis=1))
        x, y = state.goal[:, 3:6], state.goal[:, 6:9]
        goal_rotation = xp.stack([x, y, xp.linalg.cross(x, y)], axis=2)
        trace = xp.sum(rotation * goal_rotation, axis=(1, 2))
        return distance, xp.acos(xp.clip((trace - 1.0) / 2.0, -1.0, 1.0))

    def start(self, u: Array) -> tuple[Array, Array, None]:  # noqa: D102
        position = self._centre + self._span * (u - 0.5)
        return position, np.zeros_like(position), None

    def draw_goal(self, u: Array) -> Array:  # noqa: D102
        n, joints = len(u), len(self._centre)
        candidates = self._centre + self._span * (u.reshape(n * _CANDIDATES, joints) - 0.5)
        tip, rotation = self._kinematics.tip(candidates)
        pose = np.concatenate([tip, rotation[:, :, 0], rotation[:, :, 1]], axis=1)
        pose = pose.reshape(n, _CANDIDATES, self.ngoal)
        first_above_floor = np.argmax(pose[:, :, 2] > self._options.floor, axis=1)
        return pose[np.arange(n), first_above_floor]

    def default_goal(self) -> Array:
        """Return the pose with the joints a tenth of their range off the centre."""
        tip, rotation = self._kinematics.tip((self._centre + 0.1 * self._span)[None])
        return np.concatenate([tip[0], rotation[0, :, 0], rotation[0, :, 1]])


def _in_frame(rotation: Any, vector: Any) -> Any:
    """Return vectors (n, 3) of the world in frames (n, 3, 3)."""
    return (vector[:, None, :] @ rotation)[:, 0, :]


def _turn(xp: Any, x: Any, y: Any) -> Any:
    """Return the turn to a frame with axes `x` and `y` (n, 3): the sine, along the turn's axis.

    Half the antisymmetric part of the rotation matrix whose columns are x, y and x × y.
    """
    z = xp.linalg.cross(x, y)
    parts = [y[:, 2:3] - z[:, 1:2], z[:, 0:1] - x[:, 2:3], x[:, 1:2] - y[:, 0:1]]
    return 0.5 * xp.concat(parts, axis=1)
