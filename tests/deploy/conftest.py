"""A two-joint robot, a tiny controller for it, and a driver and a clock that need no waiting."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim2real.deploy import seal
from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Command, Measurement, StopMode
from sim2real.deploy.source import CommandSource
from sim2real.deploy.spec import METADATA_KEY, ControllerSpec, GoldenTape, RobotFacts, robot_hash
from sim2real.robot import Joint, Limits, Robot
from sim2real.shipped import find_robot
from sim2real.signals import Measured, measured_signals


@pytest.fixture
def pendulum() -> Robot:
    return find_robot("pendulum")


@pytest.fixture
def arm() -> Robot:
    """A servo, a joint that is only measured, a motor."""
    servo = Joint(
        mode="position", kp=20.0, kd=1.0, home=0.5, action_scale=0.3,
        limits=Limits(torque=4.0, velocity=2.0, position=(-1.0, 1.5)),
    )  # fmt: skip
    motor = Joint(mode="torque", kd=0.5, limits=Limits(torque=3.0, velocity=10.0))
    return Robot(
        model="arm.xml", name="arm", task={"name": "reach"}, control_hz=50,
        joints={"servo": servo, "free": Joint(mode="passive"), "motor": motor},
    )  # fmt: skip


class FakeClock(Clock):
    """Time passes only in sleep, and by `delays[i]` seconds too much in the i-th."""

    def __init__(self, delays: dict[int, float] | None = None):
        self.time, self.sleeps, self.delays = 1_000_000_000, 0, delays or {}

    def now(self) -> int:
        return self.time

    def sleep_until(self, deadline: int) -> None:
        late = round(1e9 * self.delays.get(self.sleeps, 0.0))
        self.time, self.sleeps = max(self.time, deadline) + late, self.sleeps + 1


class FakeDriver:
    """A robot that moves as it is told; `reading` may replace what it reports."""

    def __init__(self, robot: Robot, clock: FakeClock):
        self.robot, self.clock = robot, clock
        self.seq = 0
        self.position = np.zeros(len(robot.joints))
        self.before, self.then = self.position.copy(), clock.now()
        self.log: list[Any] = []
        self.stiffness: list[float] = []
        self.reading: Callable[[Measurement], Measurement | None] = lambda measured: measured

    def open(self) -> None:
        self.log.append("open")

    def close(self) -> None:
        self.stop()

    def reset(self) -> None:
        self.log.append("reset")

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        self.log.append(mode.name.lower())

    def read(self) -> Measurement | None:
        self.seq += 1
        now = self.clock.now()
        return self.reading(
            Measurement(seq=self.seq, stamp=now, received=now, signals=self.signals())
        )

    def signals(self) -> Measured:
        seconds = max((self.clock.now() - self.then) * 1e-9, 1e-3)
        velocity = (self.position - self.before) / seconds
        self.before, self.then = self.position.copy(), self.clock.now()
        return Measured(position=self.position.copy(), velocity=velocity)

    def write(self, command: Command) -> None:
        assert command.valid_until > self.clock.now()
        self.log.append(command.target)
        self.stiffness.append(command.stiffness)
        for i, name in enumerate(self.robot.driven):
            if self.robot.joints[name].mode == "position":
                self.position[list(self.robot.joints).index(name)] = command.target[i]

    @property
    def commands(self) -> np.ndarray:
        return np.array([entry for entry in self.log if not isinstance(entry, str)])


class FakeSource(CommandSource):
    """Calls a function of the step's number."""

    def __init__(self, function: Callable[[int], Any]):
        self.goal, self.origin, self.function = (), {"kind": "fake"}, function
        self.resets: list[np.ndarray] = []

    def reset(self, command: np.ndarray) -> None:
        self.resets.append(command)
        self.count = -1

    def step(self, measured: Measured, goal: np.ndarray) -> np.ndarray:
        self.count += 1
        return np.asarray(self.function(self.count), np.float64)


@pytest.fixture
def fakes():
    """The clock, driver and source of this file: tests make their own of them."""
    return FakeClock, FakeDriver, FakeSource


@pytest.fixture
def rig(pendulum, fakes):
    """A clock, and a driver by it of a pendulum."""
    clock = FakeClock()
    return clock, FakeDriver(pendulum, clock)


@pytest.fixture
def spec(pendulum) -> ControllerSpec:
    """Of the graph that `export` writes: command = goal - 2 position + 0.5 state.command."""
    commands, command = [], 0.25
    for i in range(4):
        command = 1.0 - 2.0 * 0.1 * i + 0.5 * command
        commands.append((command,))
    tape = GoldenTape(
        inputs={
            "position": tuple((0.1 * i,) for i in range(4)),
            "velocity": ((0.0,),) * 4,
            "goal": ((1.0,),) * 4,
        },
        state={"command": (0.25,), "steps": (7.0,)},
        command=tuple(commands),
        final_state={"command": commands[-1], "steps": (11.0,)},
    )
    return ControllerSpec(
        robot="pendulum", robot_hash=robot_hash(pendulum), joints=("pivot",), driven=("pivot",),
        facts=RobotFacts.of(pendulum), signals=measured_signals(pendulum), unread=("velocity",),
        task="swing_up", goal=(0.5,), trained_on={}, origin={"seed": 3},
        initial_state={"command": (0.0,), "steps": (0.0,)}, golden=tape,
    )  # fmt: skip


@pytest.fixture
def export(tmp_path) -> Callable[..., Path]:
    """Write a controller with a specification, or with its values replaced."""

    def write(spec: ControllerSpec | None, **changes: Any) -> Path:
        onnx = pytest.importorskip("onnx")
        text = """
            <ir_version: 9, opset_import: ["" : 18]>
            controller (float[1,1] position, float[1,1] velocity, float[1,1] goal,
                        float[1,1] "state.command", float[1,1] "state.steps")
            => (float[1,1] command, float[1,1] "next.state.command",
                float[1,1] "next.state.steps")
            <float[1,1] two = {2.0}, float[1,1] half = {0.5}, float[1,1] one = {1.0},
             float[1,1] none = {0.0}> {
                a = Mul(position, two)
                b = Sub(goal, a)
                c = Mul("state.command", half)
                d = Mul(velocity, none)
                e = Add(b, c)
                command = Add(e, d)
                "next.state.command" = Identity(command)
                "next.state.steps" = Add("state.steps", one)
            }
        """
        spec = spec and dataclasses.replace(spec, **changes)
        if spec is not None and "goal" not in spec.golden.inputs:
            text = text.replace("float[1,1] goal,", "").replace("Sub(goal,", "Sub(one,")
        model = onnx.parser.parse_model(text)
        if spec is not None:
            onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json()})
        path = tmp_path / "controller.onnx"
        content = model.SerializeToString()
        path.write_bytes(content if spec is None else seal.sealed(content))
        return path

    return write
