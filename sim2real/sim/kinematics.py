"""Where the tip is for given joint positions, on the nominal model."""

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError
from sim2real.robot import Robot
from sim2real.sim.model import joint_addresses

Array = NDArray[np.float64]


class Kinematics:
    """Forward kinematics of one robot's tip."""

    def __init__(self, robot: Robot, model: mujoco.MjModel):
        self._robot, self._model = robot, model
        self._data = mujoco.MjData(model)
        self._qpos, _ = joint_addresses(robot, model)

    def tip(self, position: Array) -> tuple[Array, Array]:
        """Return the tip's position (n, 3) and rotation (n, 3, 3) for joints (n, njoint)."""
        if self._robot.tip is None:
            raise RobotError(f"robot {self._robot.name!r} has no tip: name a site in robot.toml")
        site = self._data.site(self._robot.tip)
        tip, rotation = np.empty((len(position), 3)), np.empty((len(position), 9))
        for row, joints in enumerate(position):
            self._data.qpos[self._qpos] = joints
            mujoco.mj_kinematics(self._model, self._data)
            tip[row], rotation[row] = site.xpos, site.xmat
        return tip, rotation.reshape(-1, 3, 3)
