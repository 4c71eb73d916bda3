# ruff: noqa: D102 - the methods of a driver and a source
"""How gentle is the moment in which a controller with a history takes over?

    python benchmarks/deploy/first_moment.py [--quick]

Experiment C6, on the SO-101 in MuJoCo, nominal, from the pose that it settled in. The controller
goes to a pose up to 0.3 rad away, half of the way from the mean of the last ten measurements: with
a past of zeros it starts from where the robot is not. It begins as the runtime lets it, with a
history that it watched and blended in, and as most runtimes do, with a history of zeros and at
once. Compared is the largest acceleration of a joint in the first 0.2 s, turn by turn of the
robot's own loop.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Command, Measurement
from sim2real.deploy.loop import run
from sim2real.deploy.source import CommandSource
from sim2real.deploy.supervisor import State
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulated_robot import SimulatedRobot

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"ratio": 0.5}
SEEDS = tuple(range(10))
_FRAMES, _TURNS, _FIRST = 10, 500.0, 0.2


class Goes(CommandSource):
    """Steers to a pose from a history of positions."""

    def __init__(self, pose: Any, *, gently: bool):
        self.goal, self.origin, self.pose = (), {}, pose
        self.warms_up = self.blended = gently
        self.history = np.zeros((_FRAMES, len(pose)))

    def reset(self, command: Any) -> None:
        self.history[:] = 0.0

    def step(self, measured: Any, goal: Any) -> Any:
        self.history = np.vstack([self.history[1:], measured.position])
        mean = self.history.mean(axis=0)
        return mean + 0.5 * (self.pose - mean)


class Watched(Clock):
    """The robot, and the largest acceleration in each of its turns."""

    def __init__(self, inner: SimulatedRobot):
        self.inner, self.robot = inner, inner.robot
        self.accelerations: list[tuple[int, float]] = []

    def now(self) -> int:
        return self.inner.now()

    def sleep_until(self, deadline: int) -> None:
        while self.inner.now() < deadline:
            before = self.inner.simulator.velocity[0].copy()
            self.inner.turn()
            change = np.abs(self.inner.simulator.velocity[0] - before).max() * _TURNS
            self.accelerations.append((self.inner.now(), float(change)))

    def open(self) -> None:
        self.inner.open()

    def read(self) -> Measurement | None:
        return self.inner.read()

    def write(self, command: Command) -> None:
        self.inner.write(command)

    def stop(self, *mode: Any) -> None:
        self.inner.stop(*mode)

    def close(self) -> None:
        self.inner.close()


def main() -> None:
    """Measure; write results/deploy_first_moment.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed: a smoke test")
    chosen = parser.parse_args()
    rows = {}
    for seed in SEEDS[:1] if chosen.quick else SEEDS:
        gentle, abrupt = (_largest(seed, gently=gently) for gently in (True, False))
        rows[seed] = {"ours": gentle, "zeros, at once": abrupt, "ratio": gentle / abrupt}
    ratios = [row["ratio"] for row in rows.values()]
    results = {"seeds": rows, "median_ratio": float(np.median(ratios)), "worst_ratio": max(ratios)}
    settings = {"quick": chosen.quick, "targets": TARGETS, "unit": "rad/s2"}
    print(_result.save("deploy_first_moment", settings=settings, results=results))
    print(results)


def _largest(seed: int, *, gently: bool) -> float:
    """Return the largest acceleration in the first moment of the controller [rad/s²]."""
    robot = find_robot("so101")
    home = np.array([joint.home for joint in robot.joints.values()])
    rng = np.random.default_rng(seed)
    pose = home + rng.uniform(-0.4, 0.4, len(home))
    joints = {
        name: dataclasses.replace(joint, home=float(at))
        for (name, joint), at in zip(robot.joints.items(), pose, strict=True)
    }
    robot = dataclasses.replace(robot, joints=joints)
    simulator = MujocoSimulator(dataclasses.replace(robot, control_hz=_TURNS), 1)
    watched = Watched(SimulatedRobot(robot, simulator, seed=seed))
    began: list[int] = []

    def note(state: State, elapsed: float) -> None:
        if state == State.RUNNING and not began:
            began.append(watched.now())

    watched.open()
    source = Goes(pose + rng.uniform(-0.3, 0.3, len(home)), gently=gently)
    summary = run(source, watched, seconds=1.0, clock=watched, on_progress=note)
    assert summary.ended == "done", summary
    end = began[0] + round(_FIRST * 1e9)
    return max(a for at, a in watched.accelerations if began[0] <= at <= end)


if __name__ == "__main__":
    main()
