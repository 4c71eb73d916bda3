"""Action → command: one array function for training, the exported graph and the robot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.arrays import namespace
from sim2real.robot import Robot


@dataclass(frozen=True)
class ActionMap:
    """What an action means to each driven joint; arrays (ncommand,)."""

    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    follow: NDArray[np.float32]
    """1 where an action moves the previous command, 0 where it counts from `offset`."""
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of(cls, robot: Robot) -> "ActionMap":
        """Return the robot's map from actions to commands."""
        rows = []
        for name in robot.driven:
            joint = robot.joints[name]
            assert joint.limits is not None  # checked by Joint
            if joint.mode == "torque":
                limit = joint.limits.torque
                rows.append((joint.action_scale or limit, 0.0, 0.0, -limit, limit))
            else:
                assert joint.limits.position is not None  # checked by Joint
                follow = float(joint.action == "increment")
                offset = joint.home * (1.0 - follow)
                rows.append((joint.action_scale, offset, follow, *joint.limits.position))
        return cls(*np.array(rows, np.float32).T)

    def command(self, action: Any, previous: Any) -> Any:
        """Return the command (n, ncommand) for an action, clipped to [-1, 1], (n, ncommand).

        `previous` (n, ncommand) is the command of the step before. Any array library's arrays.
        """
        xp = namespace(action, previous)
        if xp.__name__.endswith("numpy"):
            scale, offset, follow, low, high = vars(self).values()
            action = np.minimum(np.maximum(action, -1.0), 1.0)  # half the time of clip
        else:
            scale, offset, follow, low, high = (xp.asarray(x) for x in vars(self).values())
            action = xp.clip(action, -1.0, 1.0)
        wanted = offset + follow * previous + scale * action
        return xp.minimum(xp.maximum(wanted, low), high)

    def action(self, command: NDArray[Any], previous: NDArray[Any]) -> NDArray[Any]:
        """Return the action behind a command, the inverse of `command`: (n, ncommand) in [-1, 1].

        For recordings: what the joint's limits clipped is lost.
        """
        wanted = command - self.offset - self.follow * previous
        return np.clip(wanted / self.scale, -1.0, 1.0)


def resting_command(robot: Robot) -> NDArray[np.float64]:
    """Return the command (ncommand,) of a robot at rest: no torque, or the home position."""
    joints = (robot.joints[name] for name in robot.driven)
    return np.array([joint.home if joint.mode == "position" else 0.0 for joint in joints])


@dataclass(frozen=True)
class Servos:
    """What drives the joints that take commands, as `robot.toml` says; arrays (ncommand,)."""

    index: NDArray[np.intp]
    """Where they stand among the joints."""
    kp: NDArray[np.float64]
    """0 in torque mode, where the command is the torque."""
    kd: NDArray[np.float64]
    limit: NDArray[np.float64]
    """Largest torque [Nm]."""

    @classmethod
    def of(cls, robot: Robot) -> "Servos":
        """Return the robot's."""
        driven = [robot.joints[name] for name in robot.driven]
        servo = np.array([joint.mode == "position" for joint in driven])
        return cls(
            np.array([list(robot.joints).index(name) for name in robot.driven]),
            np.where(servo, [joint.kp for joint in driven], 0.0),
            np.where(servo, [joint.kd for joint in driven], 0.0),
            np.array([joint.limits.torque for joint in driven if joint.limits]),
        )

    def torque(
        self, command: NDArray[Any], position: NDArray[Any], velocity: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Return the torques (n, ncommand) that commands (n, ncommand) ask for, within the limits.

        `position` and `velocity` (n, njoint) are the joints'.
        """
        # not position[:, index], whose rows lie apart: their sums would round by how many there are
        q, dq = (np.take(values, self.index, axis=1) for values in (position, velocity))
        asked = np.where(self.kp > 0.0, self.kp * (command - q) - self.kd * dq, command)
        return np.clip(asked, -self.limit, self.limit)
