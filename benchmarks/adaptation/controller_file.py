"""The whole adaptive controller as one ONNX file: how fast, how exact, and with a leg that fails.

    python benchmarks/adaptation/controller_file.py [--seeds 0 1 2] [--model FOLDER] [--quick]

A half-cheetah's model of 2 x 200 that adapts to its last 32 transitions, and iCEM on it: 500
sequences of 10 steps in each control step. As one graph, asked in a loop with the PyBullet robot
for its latency on one core (processor time, which hardly depends on what else the machine does, and
by the clock) and for its deviation from torch; then run while a drive of the robot dies, beside the
same policy that does not adapt. Then exported as a sealed file, which takes minutes (`--unsealed`
leaves it out). Writes results/controller_file.json and docs/images/failing_leg.png.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from sim2real import config
from sim2real.control import ActionMap
from sim2real.deploy.controller import open_session
from sim2real.deploy.source import CommandSource
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.export.graph import ControllerGraph
from sim2real.export.onnx_file import export, to_onnx
from sim2real.mpc.icem import ICEM
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.mpc.run import simulate
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.sim.bullet.simulator import BulletSimulator

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import _result
from _runner import runner

PLANNER = ICEM(horizon=10, candidates=272, iterations=2, elites=20, kept=5, colour=1.0)
FAULT, SECONDS, FAILS_AT = "actuator.bshin.gain", 12.0, 5.0
TARGETS = {"latency_p99": 0.020, "plan_deviation": 1e-4}
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "failing_leg.png"


def main() -> None:
    """Export, measure and run; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--model", type=Path, default=Path("runs/half_cheetah_planners"))
    parser.add_argument("--unsealed", action="store_true", help="leave out the file's own proof")
    parser.add_argument("--quick", action="store_true", help="a few steps: a smoke test")
    chosen = parser.parse_args()
    dynamics, job = runner(chosen.model, quick=chosen.quick)
    robot = dataclasses.replace(job.find_robot(), randomize={FAULT: {"scale": [1.0, 1.0]}})
    env = bullet(robot)
    adaptive, unadapted = (
        AdaptivePolicy(robot, env.task, dynamics, PLANNER, adapts=adapts)
        for adapts in (True, False)
    )
    graph = ControllerGraph(robot, env.task, adaptive)
    session = compiled(graph, chosen.model / "graph.onnx")
    steps = 20 if chosen.quick else round(SECONDS * robot.control_hz)
    settings = {
        "planner": dataclasses.asdict(PLANNER),
        "job": config.to_dict(job),
        "fault": FAULT,
        "fails_at": FAILS_AT,
        "targets": TARGETS,
        "quick": chosen.quick,
    }
    results: dict[str, Any] = {"sequences": PLANNER.samples, **measured(session, graph, env, steps)}
    print(results, flush=True)
    _result.save("controller_file", settings=settings, results=results)
    sources = {True: session, False: InTorch(ControllerGraph(robot, env.task, unadapted))}
    runs: list[dict[str, Any]] = []
    for seed in chosen.seeds[:1] if chosen.quick else chosen.seeds:
        runs += [failing(sources[adapts], robot, seed, steps, adapts) for adapts in sources]
        results["runs"] = [{k: v for k, v in run.items() if k != "forward"} for run in runs]
        _result.save("controller_file", settings=settings, results=results)
    if not chosen.quick:
        draw(runs, robot.control_hz)
    if not chosen.unsealed:
        path = chosen.model / "controller.onnx"
        deviation = export(adaptive, robot, env.task, path, trained_on={}, origin={})
        results["file"] = {"bytes": path.stat().st_size, "deviation_at_export": deviation}
        print(results["file"])
    print("written:", _result.save("controller_file", settings=settings, results=results))


def compiled(graph: ControllerGraph, path: Path) -> "InRuntime":
    """Return the graph in ONNX Runtime; it is traced once."""
    if not path.is_file():
        path.write_bytes(to_onnx(graph).SerializeToString())
    return InRuntime(graph, open_session(path, path.read_bytes()))


def bullet(robot: Robot) -> RobotVectorEnv:
    """Return the robot in PyBullet, exactly its model until something fails."""
    return RobotVectorEnv(robot, 1, simulator=BulletSimulator(robot, 1))


def measured(
    runtime: "InRuntime", graph: ControllerGraph, env: RobotVectorEnv, steps: int
) -> dict[str, Any]:
    """Return the latency in a loop with the robot, and the deviation from torch."""
    env.reset(seed=0)
    runtime.reset(env.command[0])
    torch_one = InTorch(graph)
    cpu, wall, apart, planned = [], [], [], []
    for step in range(steps):
        signals = env.sim.measure().of(0)
        before = time.process_time(), time.perf_counter()
        command = runtime.step(signals, np.zeros(0))
        cpu.append(time.process_time() - before[0])
        wall.append(time.perf_counter() - before[1])
        if step < steps // 4:  # torch takes longer
            answer = torch_one.step(signals, np.zeros(0))
            there = torch_one.state("state.plan")
            planned.append(float(np.abs(runtime.state("state.plan") - there).max()))
            apart.append(float(np.abs(command - answer).max()))
        env.step(ActionMap.of(env.robot).action(command[None], env.command))
    return {
        "latency_p50": float(np.percentile(cpu, 50)),
        "latency_p99": float(np.percentile(cpu, 99)),
        "latency_by_the_clock_p50": float(np.percentile(wall, 50)),
        "latency_by_the_clock_p99": float(np.percentile(wall, 99)),
        "plan_deviation": max(planned),
        "command_deviation": max(apart),
        "steps": steps,
    }


@final
class InRuntime(CommandSource):
    """The graph in ONNX Runtime, on one thread, as a controller's file is run."""

    def __init__(self, graph: ControllerGraph, session: Any):
        self.goal, self.origin = (), {"kind": "graph"}
        self._graph, self._session = graph, session
        self.reset(np.zeros(0))

    def reset(self, command: np.ndarray) -> None:  # noqa: D102
        sizes = self._graph.state_sizes.items()
        self._states = {name: np.zeros((1, size), np.float32) for name, size in sizes}

    def step(self, measured: Measured, goal: np.ndarray) -> np.ndarray:  # noqa: D102
        signals = {n: v[None].astype(np.float32) for n, v in measured.signals().items()}
        command, *states = self._session.run(self._graph.output_names, signals | self._states)
        self._states = dict(zip(self._graph.state_sizes, states, strict=True))
        return command[0].astype(np.float64)

    def state(self, name: str) -> np.ndarray:
        """Return one of the states (size,)."""
        return self._states[name][0]

    def counts(self) -> dict[str, int]:  # noqa: D102
        names = [name for name in self._states if name.startswith("state.count.")]
        return {name.removeprefix("state.count."): round(self.state(name)[0]) for name in names}


@final
class InTorch(CommandSource):
    """A controller before it is exported."""

    def __init__(self, graph: ControllerGraph):
        self.goal, self.origin, self._graph = (), {"kind": "torch"}, graph
        self.reset(np.zeros(0))

    def reset(self, command: np.ndarray) -> None:  # noqa: D102
        sizes = self._graph.state_sizes.values()
        self._states = [torch.zeros(1, size) for size in sizes]

    def step(self, measured: Measured, goal: np.ndarray) -> np.ndarray:  # noqa: D102
        signals = [torch.tensor(v[None], dtype=torch.float32) for v in measured.signals().values()]
        with torch.inference_mode():
            command, *self._states = self._graph(*signals, *self._states)
        return command[0].double().numpy()

    def state(self, name: str) -> np.ndarray:
        """Return one of the states (size,)."""
        return dict(zip(self._graph.state_sizes, self._states, strict=True))[name][0].numpy()


def failing(
    source: CommandSource, robot: Robot, seed: int, steps: int, adapts: bool
) -> dict[str, Any]:
    """Return how a controller does in PyBullet while a drive dies."""
    env, fails = bullet(robot), round(steps * FAILS_AT / SECONDS)
    forward: list[float] = []

    def on_step(env: RobotVectorEnv, step: int) -> None:
        forward.append(float(env.sim.position[0, 0]))
        if step == fails:
            dead = env.values * 0.0
            env.randomizer.apply(np.zeros(1, np.int32), dead)
            env.sim.update(np.zeros(1, np.int32))

    outcome = simulate(source, env, steps, seed=seed, on_step=on_step)
    rewards, second = np.array(outcome.rewards), round(robot.control_hz)
    run = {
        "seed": seed,
        "adapts": adapts,
        "return_before": float(rewards[:fails].sum()),
        "return_after": float(rewards[fails:].sum()),
        "speed_before": (forward[fails] - forward[fails // 2]) / ((fails - fails // 2) / second),
        "speed_after": (forward[-1] - forward[fails]) / ((len(forward) - fails) / second),
        "counts": outcome.counts,
        "forward": forward,
    }
    print({name: value for name, value in run.items() if name != "forward"}, flush=True)
    return run


def draw(runs: list[dict[str, Any]], hz: float) -> None:
    """Draw how far the robots came."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        colour, label = ("tab:blue", "adapts") if run["adapts"] else ("tab:gray", "does not")
        time_axis = np.arange(len(run["forward"])) / hz
        first = run["seed"] == runs[0]["seed"]
        axes.plot(time_axis, run["forward"], color=colour, label=label if first else None)
    axes.axvline(FAILS_AT, color="tab:red", linestyle=":", label="the rear shin's drive dies")
    axes.set(xlabel="time [s]", ylabel="forward [m]")
    axes.legend(frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    main()
