"""What does a control step cost beside its inference?

    python benchmarks/deploy/latency.py [--quick] [--count 20000]

Experiment B1: a controller of three layers of 256 for the quadruped. Hot: called again and again.
Cold: called every 4 ms, as a control loop does. The whole step reads a measurement from a robot
behind UDP, looks at it, infers, limits, writes and records.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sim2real.deploy.clock import MonotonicClock
from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import Command, Measurement, connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.process import frozen_gc
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.deploy.supervisor import Decision, State, Supervisor
from sim2real.export.onnx_file import export
from sim2real.shipped import find_robot
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"step_over_session": 1.3, "whole_hot_p50_us": 150.0, "recorder_us": 2.0}
_COLD = 0.004  # s between two calls


def main() -> None:
    """Measure; write results/deploy_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few calls: a smoke test")
    parser.add_argument("--count", type=int, default=20_000)
    chosen = parser.parse_args()
    count = 200 if chosen.quick else chosen.count
    with tempfile.TemporaryDirectory() as folder, frozen_gc():
        results = measure(Path(folder), count)
    settings = {"quick": chosen.quick, "count": count, "targets": TARGETS}
    print(_result.save("deploy_latency", settings=settings, results=results))
    for name, value in results.items():
        print(f"{name}: {value}")


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Return microseconds of each part, hot and cold."""
    robot = find_robot("quadruped")
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    torch.manual_seed(0)
    policy = Policy((task.nobs, 256, 256, 256, 12), "elu").eval()
    export(policy, robot, task, folder / "policy.onnx", trained_on={}, origin={})
    controller = Controller.load(folder / "policy.onnx", robot)
    home = np.array([joint.home for joint in robot.joints.values()])
    still = Measured(position=home, velocity=np.zeros(12), orientation=np.array([1.0, 0, 0, 0]),
                     angular_velocity=np.zeros(3))  # fmt: skip
    goal, session, feed = np.zeros(3), controller._session, dict(controller._feed)
    controller.step(still, goal)
    feed |= {name: controller._feed[name] for name in controller._feed}
    parts: dict[str, Callable[[], object]] = {
        "session": lambda: session.run(controller._outputs, feed),
        "controller": lambda: controller.step(still, goal),
    }
    with Recorder(folder / "run.mcap", robot, goal=goal, black_box=True) as recorder:
        measured = Measurement(seq=1, stamp=0, received=0, signals=still)
        decision = Decision(state=State.RUNNING, command=home, wanted=home)
        parts["recorder"] = lambda: recorder.record(0, measured, decision, goal)
        with _served(robot, still) as address, connected(UdpDriver(robot, address)) as driver:
            parts["whole"] = _whole(robot, driver, controller, recorder, goal)
            found = _rounds(parts, count)
    ratios = [a / b for a, b in zip(found["controller hot"], found["session hot"], strict=True)]
    told = {name: _percentiles(values) for name, values in found.items()}
    return told | {"step_over_session": float(np.median(ratios))}


def _whole(
    robot: Any, driver: Any, controller: Any, recorder: Any, goal: Any
) -> Callable[[], object]:
    """Return one control step of a run in RUNNING."""
    clock, supervisor = MonotonicClock(), Supervisor(
        controller, robot, envelope=Envelope.of(robot, max_age=10.0), shadow=True
    )  # fmt: skip

    def step() -> None:
        measured, now = driver.read(), clock.now()
        decision = supervisor.step(now, measured, goal)
        last = supervisor.stream.last
        if decision.command is not None and last is not None:
            driver.write(Command(seq=now, valid_until=last.stamp + 10**9, target=decision.command))
        recorder.record(now, measured, decision, goal)
        assert not supervisor.tripped, supervisor.tripped

    while supervisor.state != State.RUNNING:
        step()
        time.sleep(0.002)
    return step


def _rounds(parts: dict[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
    """Return the microseconds of each call, the parts in turn, so that load meets all alike."""
    found: dict[str, list[float]] = {f"{n} {how}": [] for n in parts for how in ("hot", "cold")}
    for _ in range(max(1, count // 100)):
        for name, call in parts.items():
            for _ in range(100):
                found[f"{name} hot"].append(_timed(call))
    for _ in range(max(1, count // 20)):
        for name, call in parts.items():
            time.sleep(_COLD)
            found[f"{name} cold"].append(_timed(call))
    return found


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) * 1e-3


def _percentiles(values: list[float]) -> dict[str, float]:
    found = np.percentile(values, [50, 99, 99.9])
    return {
        name: round(float(x), 2) for name, x in zip(("p50", "p99", "p99.9"), found, strict=True)
    }


class _served:  # noqa: N801 - a context manager, read as a verb
    """A robot that stands still behind UDP, turned at 200 Hz by a thread."""

    def __init__(self, robot: Any, still: Measured):
        self.robot, self.still, self.ended = robot, still, threading.Event()

    def __enter__(self) -> str:
        self.side = UdpRobot(self.robot, "127.0.0.1:0")
        self.side.open()
        self.thread = threading.Thread(target=self._turn)
        self.thread.start()
        return self.side.address

    def _turn(self) -> None:
        while not self.ended.wait(0.005):
            self.side.exchange(time.monotonic_ns(), self.still)

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        self.side.close()


if __name__ == "__main__":
    main()
