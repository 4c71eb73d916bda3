"""Walk at a commanded velocity."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real import config
from sim2real.arrays import namespace
from sim2real.control import ActionMap, Servos
from sim2real.errors import ConfigError
from sim2real.robot import Robot
from sim2real.rotation import cross, projected_gravity, rotate, rotate_back
from sim2real.signals import Measured
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks.task import Array, State, Task, TaskOptions

# of a foot that stands: height above the lowest foot [m], vertical speed [m/s]
_STANDS_WITHIN, _STANDS_BELOW = 0.005, 0.4


@dataclass(frozen=True, kw_only=True)
class TrackVelocityOptions(TaskOptions):
    """The `[task]` table: what is commanded, and the weights of the reward."""

    name: str = "track_velocity"
    episode_seconds: float = 10.0
    hold_seconds: float = 1.0
    forward: tuple[float, float] = (-0.5, 1.0)
    """Commanded velocities along the base's x axis [m/s]."""
    sideways: tuple[float, float] = (-0.4, 0.4)
    """Along its y axis [m/s]."""
    turn: tuple[float, float] = (-0.8, 0.8)
    """About its z axis [rad/s]."""
    standing: float = 0.1
    """Share of the episodes in which to stand still."""
    sigma: float = 0.25
    """Width of the tracking kernels exp(-error² / sigma) [(m/s)², (rad/s)²]."""
    turn_weight: float = 0.5
    bounce_weight: float = 1.0
    """Of the vertical velocity squared."""
    wobble_weight: float = 0.05
    """Of the roll and pitch rates squared."""
    tilt_weight: float = 2.0
    """Of the horizontal part of gravity, squared, in the base's frame."""
    effort_weight: float = 0.1
    """Of the mean squared torque, as a share of the limits."""
    change_weight: float = 0.03
    """Of the mean squared change of the action."""
    pose_weight: float = 0.2
    """Of the mean squared distance of the joints from home, in actions."""
    clearance_weight: float = 20.0
    """Of a foot's speed times the square of what it lacks of `clearance`, summed over the feet."""
    clearance: float = 0.07
    """How high a swinging foot is to be above the lowest one [m]."""
    start_noise: float = 0.1
    """Largest deviation of the start from home [rad, rad/s, m/s]."""
    fallen: float = 1.0
    """A robot has fallen that leans further than this [rad] ..."""
    lowest: float = 0.4
    """... or is lower than this share of its height at home; -inf on uneven ground."""
    error: float = 0.3
    """It tracks when the velocity is within this distance of the command [m/s] ..."""
    turn_error: float = 0.4
    """... and the yaw rate within this one [rad/s]."""


@final
class TrackVelocity(Task):
    """The goal is (vx, vy, yaw rate) in the frame of the base.

    Rewards as in legged_gym (Rudin et al. 2022): tracking kernels less penalties, never below 0, so
    that falling early is no way to be spared; and swinging feet are to be lifted (Ji et al. 2022).
    """

    ngoal = 3
    ngoal_uniforms = 4

    def __init__(self, options: TrackVelocityOptions, robot: Robot, kinematics: Kinematics):
        self._robot, self._kinematics = robot, kinematics
        self.options = self._options = options
        joints, n = robot.joints, len(robot.joints)
        self._home = np.array([joint.home for joint in joints.values()])
        self._driven = [list(joints).index(name) for name in robot.driven]
        self._map, self._servos = ActionMap.of(robot), Servos.of(robot)
        self.nobs = 9 + 2 * n + len(robot.driven)
        self.nstart = 2 * n + 7

    @classmethod
    def of(cls, robot: Robot, kinematics: Kinematics) -> "TrackVelocity":  # noqa: D102
        if robot.base is None or not robot.feet:
            raise ConfigError(
                f"robot {robot.name!r}: the task track_velocity needs a [base], and feet = [...]"
            )
        options = config.from_dict(TrackVelocityOptions, robot.task, f"{robot.name}: task")
        return cls(options, robot, kinematics)

    def observe(self, measured: Measured, command: Any, goal: Any) -> Any:
        """Return what legged_gym's policies see, but for the velocity, which nothing measures."""
        xp = namespace(measured.position)
        home, scale, rest = (
            xp.asarray(values, dtype=measured.position.dtype)
            for values in (self._home, self._map.scale, self._home[self._driven])
        )
        parts = [
            measured.angular_velocity * 0.25,
            projected_gravity(measured.orientation),
            goal,
            measured.position - home,
            measured.velocity * 0.05,
            (command - rest) / scale,
        ]
        return xp.concat(parts, axis=-1)

    def reward(self, state: State) -> Array:  # noqa: D102
        options, base = self._options, _base(state)
        velocity, error, turn_error = self._errors(state)
        tilt = projected_gravity(base.orientation)[:, :2]
        tracked = np.exp(-np.square(error) / options.sigma)
        turned = np.exp(-np.square(turn_error) / options.sigma)
        torque = self._servos.torque(state.command, state.position, state.velocity)
        change = (state.command - state.last_command) / self._map.scale
        pose = np.take(state.position - self._home, self._servos.index, axis=1) / self._map.scale
        penalty = (
            options.bounce_weight * np.square(velocity[:, 2])
            + options.wobble_weight * np.square(base.angular_velocity[:, :2]).sum(axis=1)
            + options.tilt_weight * np.square(tilt).sum(axis=1)
            + options.effort_weight * np.square(torque / self._servos.limit).mean(axis=1)
            + options.change_weight * np.square(change).mean(axis=1)
            + options.pose_weight * np.square(pose).mean(axis=1)
            + options.clearance_weight * self._dragging(state, velocity)
        )
        return np.maximum(tracked + options.turn_weight * turned - penalty, 0.0)

    def terminated(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        base = _base(state)
        assert self._robot.base is not None  # checked by `of`
        # a height that nobody knows is NaN, and not too low
        low = base.position[:, 2] < self._options.lowest * self._robot.base.height
        upright = projected_gravity(base.orientation)[:, 2] < -math.cos(self._options.fallen)
        return low | ~upright

    def success(self, state: State) -> NDArray[np.bool_]:  # noqa: D102
        _, error, turn_error = self._errors(state)
        return (error < self._options.error) & (np.abs(turn_error) < self._options.turn_error)

    def start(self, u: Array) -> tuple[Array, Array, BaseState]:
        """Return robots near home, facing anywhere, whose lowest foot touches the ground."""
        n, noise = len(self._home), self._options.start_noise * (2.0 * u - 1.0)
        home, heading = BaseState.at_home(self._robot, len(u)), np.pi * u[:, -1:]
        nothing, position = np.zeros_like(heading), self._home + noise[:, :n]
        home.position[:, 2] += self._lowest(self._home[None]) - self._lowest(position)
        base = BaseState(
            position=home.position,
            orientation=np.hstack([np.cos(heading), nothing, nothing, np.sin(heading)]),
            linear_velocity=noise[:, 2 * n : 2 * n + 3],
            angular_velocity=noise[:, 2 * n + 3 : 2 * n + 6],
        )
        return position, noise[:, n : 2 * n], base

    def estimate_base(self, measured: Measured) -> BaseState | None:
        """Return the base with the velocity that its standing feet tell: leg odometry.

        Without forces at the feet it is a rough guess at each instant: 0.2 m/s for a fast trot.
        """
        base = super().estimate_base(measured)
        if base is None:
            return None
        foot, moved = self._feet(measured.position, measured.velocity, measured.angular_velocity)
        height = _heights(foot, base.orientation)
        rising = _heights(moved, base.orientation)
        # a foot stands as far as it is low and goes neither up nor down; one that stands is still
        above = (height - height.min(axis=1, keepdims=True)) / _STANDS_WITHIN
        weight = np.exp(-above - np.square(rising / _STANDS_BELOW)) + 1e-9
        weight /= weight.sum(axis=1, keepdims=True)
        velocity = -np.einsum("nf,nfi->ni", weight, moved)
        return dataclasses.replace(base, linear_velocity=rotate(base.orientation, velocity))

    def draw_goal(self, u: Array) -> Array:  # noqa: D102
        options = self._options
        low, high = np.array([options.forward, options.sideways, options.turn]).T
        moving = u[:, 3:] >= options.standing
        return (low + (high - low) * u[:, :3]) * moving

    def default_goal(self) -> Array:
        """Return half of the greatest speed, straight ahead."""
        return np.array([0.5 * self._options.forward[1], 0.0, 0.0])

    def _errors(self, state: State) -> tuple[Array, Array, Array]:
        """Return the velocity in the base's frame (n, 3), and how far it and the turn are off."""
        base = _base(state)
        velocity = rotate_back(base.orientation, base.linear_velocity)
        error = np.linalg.norm(velocity[:, :2] - state.goal[:, :2], axis=1)
        return velocity, error, base.angular_velocity[:, 2] - state.goal[:, 2]

    def _dragging(self, state: State, velocity: Array) -> Array:
        """Return the sum over the feet of their speed times what they lack in height, squared."""
        base = _base(state)
        foot, moved = self._feet(state.position, state.velocity, base.angular_velocity)
        speed = np.linalg.norm((velocity[:, None] + moved)[:, :, :2], axis=2)
        height = _heights(foot, base.orientation)
        lacking = self._options.clearance - (height - height.min(axis=1, keepdims=True))
        return (np.square(lacking) * speed).sum(axis=1)

    def _lowest(self, position: Array) -> Array:
        """Return the lowest foot's height in the base's frame (n,)."""
        return self._kinematics.feet(position)[:, :, 2].min(axis=1)

    def _feet(self, position: Array, velocity: Array, turning: Array) -> tuple[Array, Array]:
        """Return where the feet are and how they move, seen from a base that only turns.

        Both (n, nfoot, 3), in the base's frame.
        """
        foot, moved = self._kinematics.feet_motion(position, velocity)
        return foot, moved + cross(turning[:, None], foot)


def _heights(foot: Array, orientation: Array) -> Array:
    """Return how high feet (n, nfoot, 3) of the base's frame are above the base: (n, nfoot)."""
    return -np.einsum("nfi,ni->nf", foot, projected_gravity(orientation))


def _base(state: State) -> BaseState:
    assert state.base is not None  # the robot has one
    return state.base
