"""Robots recorded as real ones would be, with planted parameters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sim2real.deploy.excitation import Excitation
from sim2real.parameters.ranges import Range
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Joint, Limits, Robot
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.trajectory import Trajectory

ONE = np.zeros(1, np.int32)
ARM = """
<mujoco><option timestep="0.002"/><worldbody><body name="upper">
<joint name="shoulder" axis="0 1 0" damping="0.1"/>
<geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.02" mass="0.5"/>
<body name="lower" pos="0 0 -0.3"><joint name="elbow" axis="0 1 0" damping="0.05"/>
<geom type="capsule" fromto="0 0 0 0 0 -0.25" size="0.02" mass="0.3"/>
</body></body></worldbody></mujoco>
"""


@pytest.fixture(scope="session")
def pendulum() -> Robot:
    return find_robot("pendulum")


@pytest.fixture
def arm(tmp_path: Path) -> Robot:
    """Two driven joints, of which both dampings are randomized."""
    (tmp_path / "arm.xml").write_text(ARM)
    joint = Joint(mode="torque", limits=Limits(torque=0.3, velocity=30.0))
    ranges = {"body.upper.mass": {"scale": [0.8, 1.2]}, "body.lower.mass": {"scale": [0.8, 1.2]},
              "joint.*.damping": {"scale": [0.5, 1.5]}}  # fmt: skip
    return Robot(
        model="arm.xml", joints={"shoulder": joint, "elbow": joint}, name="arm", folder=tmp_path,
        task={"name": "none"}, control_hz=100, randomize=ranges)  # fmt: skip


@pytest.fixture(scope="session")
def ranged() -> Callable[..., Robot]:
    """Return a robot with other ranges, as TOML has them."""

    def make(robot: Robot, **ranges: dict) -> Robot:
        names = {name.replace("__", "."): data for name, data in ranges.items()}
        return robot.with_ranges({name: Range.parse(data, name) for name, data in names.items()})

    return make


@pytest.fixture(scope="session")
def record() -> Callable[..., Trajectory]:
    """Return a noisy recording of a robot with planted parameters under a multisine."""

    def run(
        robot: Robot, planted: dict[str, float], *, seed: int = 0, seconds: float = 6.0,
        noise: tuple[float, float] = (0.002, 0.05),
    ) -> Trajectory:  # fmt: skip
        rng = np.random.default_rng(seed)
        model = compile_model(robot, max_delay=0.1)
        sim = MujocoSimulator(robot, 1, model=model)
        ParameterSet(model, tuple(robot.joints), tuple(planted)).write(
            sim, ONE, np.array([list(planted.values())], float)
        )
        command = Excitation(robot, seconds=seconds, amplitude=0.8, seed=seed).signal
        home = np.zeros((1, len(robot.joints)))
        sim.reset(ONE, home, home, command[:1])
        position = np.empty((len(command), len(robot.joints)))
        velocity = np.empty_like(position)
        for row, u in enumerate(command):
            position[row], velocity[row] = sim.position[0], sim.velocity[0]
            sim.step(u[None])
        return Trajectory(
            joints=tuple(robot.joints),
            driven=robot.driven,
            time=np.arange(len(command), dtype=np.int64) * round(1e9 / robot.control_hz),
            position=position + noise[0] * rng.standard_normal(position.shape),
            velocity=velocity + noise[1] * rng.standard_normal(position.shape),
            command=command,
            source=f"log-{seed}",
        )

    return run
