"""Planners: what iCEM saves beside CEM, and what a compiled plan saves beside eager torch.

    python benchmarks/adaptation/planners.py [--parts returns speed] [--seeds 0 1 2]
        [--model FOLDER] [--quick]

Half-cheetahs in worlds of their own, planned for on the model that adapts, horizon 15: returns of
4 s for each planner and each number of samples. Then 500 sequences of 10 steps on that model, in
float32, by eager torch and by ONNX Runtime, one thread, in turns. Writes results/planners.json,
where a part that is not run stays as it was.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sim2real.deploy.controller import open_session
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.job import DynamicsJob
from sim2real.mpc.cem import CEM
from sim2real.mpc.drive import ManyPolicies
from sim2real.mpc.icem import ICEM
from sim2real.mpc.mppi import MPPI
from sim2real.mpc.objective import ModelObjective, Situation
from sim2real.mpc.planner import Planner
from sim2real.mpc.policy import AdaptivePolicy

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import _result
from _runner import runner

HORIZON, SECONDS, ROBOTS = 15, 4.0, 8
SAMPLES, STEPS = 500, 10
TARGETS = {"icem_saves": 2.7, "compiled_over_eager": 2.2, "correlation": 0.999}
PLANNERS: dict[str, Planner] = {
    "CEM 450": CEM(horizon=HORIZON, candidates=150, iterations=3, elites=15),
    "CEM 150": CEM(horizon=HORIZON, candidates=50, iterations=3, elites=8),
    "iCEM 157": ICEM(horizon=HORIZON, candidates=60, iterations=3, elites=8, kept=3, colour=1.0),
    "iCEM 79": ICEM(horizon=HORIZON, candidates=28, iterations=3, elites=8, kept=3, colour=1.0),
    "MPPI 159": MPPI(horizon=HORIZON, candidates=159, colour=1.0),
}


def main() -> None:
    """Run both comparisons; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=["returns", "speed"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--model", type=Path, default=Path("runs/half_cheetah_planners"))
    parser.add_argument("--quick", action="store_true", help="a few steps: a smoke test")
    chosen = parser.parse_args()
    dynamics, job = runner(chosen.model, quick=chosen.quick)
    seeds, steps = (chosen.seeds[:1], 3) if chosen.quick else (chosen.seeds, int(SECONDS * 20))
    results: dict[str, Any] = _result.previous("planners")
    if "speed" in chosen.parts:
        results["speed"] = speed(dynamics, job, 3 if chosen.quick else 30)
    if "returns" in chosen.parts:
        torch.set_float32_matmul_precision("medium")
        results["returns"] = {name: [] for name in PLANNERS}
        for seed in seeds:
            for name, planner in PLANNERS.items():
                found = driven(dynamics, job, planner, seed, steps)
                results["returns"][name].append(found)
                print(f"seed {seed}: {name} ({planner.samples} samples): {found:.1f}", flush=True)
        results["mean"] = {n: float(np.mean(each)) for n, each in results["returns"].items()}
        results["samples"] = {name: planner.samples for name, planner in PLANNERS.items()}
    settings = {
        "horizon": HORIZON,
        "seconds": SECONDS,
        "robots": ROBOTS,
        "seeds": seeds,
        "targets": TARGETS,
        "quick": chosen.quick,
    }
    print(results)
    print("written:", _result.save("planners", settings=settings, results=results))


def driven(dynamics: Dynamics, job: DynamicsJob, planner: Planner, seed: int, steps: int) -> float:
    """Return the mean return of robots in worlds that the seed draws, all planners' the same."""
    env = RobotVectorEnv(job.find_robot(), ROBOTS, seed=100 + seed)
    env.reset(seed=100 + seed)
    many = ManyPolicies(AdaptivePolicy(env.robot, env.task, dynamics, planner), ROBOTS)
    total = 0.0
    for _ in range(steps):
        total += float(env.step(many.act(env.sim.measure(), env.command, env.goal))[1].mean())
    return total


class Returns(nn.Module):
    """What sequences (n, horizon, ncommand) return on the unadapted model from one state."""

    def __init__(self, dynamics: Dynamics, objective: ModelObjective):
        super().__init__()
        self.dynamics, self.objective = dynamics, objective

    def forward(self, state: Tensor, command: Tensor, actions: Tensor) -> Tensor:
        """Return them (n,), from a state (1, nstate) after a command (1, ncommand)."""
        model = self.dynamics.unadapted(1)
        now = Situation(state=state, command=command, goal=state.new_zeros(1, 0))
        return self.objective.returns(lambda s, c: model(s[None], c[None])[0], now, actions)


def speed(dynamics: Dynamics, job: DynamicsJob, repetitions: int) -> dict[str, Any]:
    """Return how many plans' worth of rollouts a second each way makes, and whether they agree."""
    env = RobotVectorEnv(job.find_robot(), 1)
    env.reset(seed=0)
    objective = ModelObjective(robot=env.robot, task=env.task)
    eager = Returns(dynamics, objective).float().eval()
    state = np.hstack([env.sim.position, env.sim.velocity]).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(SAMPLES, STEPS, len(env.robot.driven)))
    actions = np.clip(noise, -1.0, 1.0).astype(np.float32)
    inputs = [state, env.command.astype(np.float32), actions]
    tensors, names = tuple(map(torch.from_numpy, inputs)), ["state", "command", "actions"]
    program = torch.onnx.export(eager, tensors, input_names=names, dynamo=True, verbose=False)
    assert program is not None
    session = open_session(Path("returns.onnx"), program.model_proto.SerializeToString())
    feed = dict(zip(names, inputs, strict=True))
    found: dict[str, Any] = {}

    def by_torch() -> int:
        with torch.inference_mode():
            found["eager"] = eager(*tensors).numpy()
        return 1

    def by_runtime() -> int:
        found["compiled"] = session.run(None, feed)[0]
        return 1

    contestants: dict[str, Callable[[], int]] = {"eager": by_torch, "compiled": by_runtime}
    wall, cpu = _result.alternate(contestants, repetitions)
    return {
        "plans_per_second": _result.medians(wall),
        "milliseconds_of_processor": {n: 1e3 / v for n, v in _result.medians(cpu).items()},
        "compiled_over_eager": _result.ratio(cpu, "compiled", "eager"),
        "correlation": float(np.corrcoef(found["eager"], found["compiled"])[0, 1]),
        "largest_difference": float(np.abs(found["eager"] - found["compiled"]).max()),
    }


if __name__ == "__main__":
    main()
