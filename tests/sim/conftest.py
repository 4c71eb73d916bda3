"""Robots written inside a test, and both engines on them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim2real.robot import Joint, Robot
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.sim.mujoco_batch import MujocoSimulator


@pytest.fixture
def make_robot(tmp_path: Path) -> Callable[..., Robot]:
    """Return a robot from the text of an MJCF's elements and its joints."""

    def make(mjcf: str, joints: dict[str, Joint], **fields: Any) -> Robot:
        (tmp_path / "robot.xml").write_text(f"<mujoco>{mjcf}</mujoco>")
        numbers: dict[str, Any] = {"control_hz": 100.0, "task": {"name": "none"}, **fields}
        return Robot(model="robot.xml", joints=joints, name="test", folder=tmp_path, **numbers)

    return make


class Both:
    """MuJoCo and Bullet, given the same."""

    def __init__(self, robot: Robot, model: Any = None):
        self.mujoco = MujocoSimulator(robot, 1, model=model)
        self.bullet = BulletSimulator(robot, 1, model=model)
        self.robot = robot

    def reset(self, position: Any, velocity: Any = 0.0, command: Any = 0.0) -> None:
        one, n = np.zeros(1, np.int32), len(self.robot.joints)
        q, v = (np.broadcast_to(np.asarray(x, float), (1, n)) for x in (position, velocity))
        u = np.broadcast_to(np.asarray(command, float), (1, len(self.robot.driven)))
        for simulator in (self.mujoco, self.bullet):
            simulator.reset(one, q, v, u)

    def play(self, command: Callable[[int], Any], steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions (steps, njoint) in MuJoCo and in Bullet."""
        u = np.empty((1, len(self.robot.driven)))
        rows = []
        for step in range(steps):
            u[...] = command(step)
            self.mujoco.step(u), self.bullet.step(u)
            rows.append((self.mujoco.position[0].copy(), self.bullet.position[0].copy()))
        mujoco_rows, bullet_rows = np.array(rows).transpose(1, 0, 2)
        return mujoco_rows, bullet_rows


@pytest.fixture
def both() -> Iterator[Callable[..., Both]]:
    """Return both engines on a robot; their clients are closed after the test."""
    made: list[Both] = []

    def make(robot: Robot, model: Any = None) -> Both:
        made.append(Both(robot, model))
        return made[-1]

    yield make
    for pair in made:
        pair.bullet.close()
