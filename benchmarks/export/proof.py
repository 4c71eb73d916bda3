"""Does loading refuse bad files, and no good one?

    python benchmarks/export/proof.py [--quick] [--count 200] [--minutes 60]

Exports policies of every kind with random weights for every shipped robot, loads each file for its
robot, and then plants each bug of `mutations.py` in it. Seeds 0 to count - 1, or as far as the
minutes last.
"""

import argparse
import collections
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mutations
import numpy as np
import torch
from torch import nn

from sim2real import shipped
from sim2real.deploy.controller import Controller
from sim2real.errors import ControllerError
from sim2real.export.onnx_file import export
from sim2real.robot import Robot
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import Task, make_task
from sim2real.training.policy import Policy
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import History, Normalized

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"false_refusals": 0, "missed_bugs": 0}


def main() -> None:
    """Export, load, plant, load; write results/export_proof.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few exports: a smoke test")
    parser.add_argument("--count", type=int, default=200, help="how many good files")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    chosen = parser.parse_args()
    count = 6 if chosen.quick else chosen.count
    results = run(count, time.monotonic() + 60 * chosen.minutes)
    seeds = [0, results["good"] - 1]
    settings = {"quick": chosen.quick, "count": count, "seeds": seeds, "targets": TARGETS}
    print(_result.save("export_proof", settings=settings, results=results))
    for key in ("good", "false_refusals", "planted", "missed_bugs", "deviation"):
        print(f"{key}: {results[key]}")


def run(count: int, until: float) -> dict[str, Any]:
    """Return what was refused, of `count` good files and of all that bugs made of them."""
    rigs = {robot.name: (robot, task_of(robot)) for robot in robots()}
    refused, missed, deviations, sizes, loads = [], [], [], [], []
    planted: collections.Counter[str] = collections.Counter()
    others: dict[tuple[str, str], bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            if time.monotonic() > until:
                count = seed
                break
            name, kind = choice(list(rigs), seed)
            robot, task = rigs[name]
            path = Path(folder) / f"{seed}.onnx"
            try:
                deviations.append(export_policy(robot, task, kind, path, seed))
                content = path.read_bytes()
                start = time.perf_counter()
                Controller.load(path, robot)
                loads.append(time.perf_counter() - start)
            except ControllerError as error:
                refused.append({"seed": seed, "robot": name, "kind": kind, "reason": str(error)})
                continue
            sizes.append(len(content))
            partner = {"gru": "lstm", "lstm": "gru"}.get(kind, "")
            case = mutations.Case(
                content, seed, others.get((name, kind)), others.get((name, partner))
            )
            others[name, kind] = content
            for bug in mutations.MUTATIONS:
                if (bad := mutations.MUTATIONS[bug](case)) is not None:
                    planted[bug] += 1
                    if loads_anyway(bad, robot):
                        missed.append({"bug": bug, "seed": seed, "robot": name, "kind": kind})
                        print(f"missed: {missed[-1]}", file=sys.stderr)
            print(f"{seed + 1}/{count} {name} {kind}: {len(missed)} missed, {len(refused)} refused",
                  file=sys.stderr)  # fmt: skip
    return {
        "good": count,
        "false_refusals": len(refused),
        "refused": refused,
        "bugs": len(mutations.MUTATIONS),
        "planted": sum(planted.values()),
        "planted_by_bug": dict(planted),
        "missed_bugs": len(missed),
        "missed": missed,
        "deviation": {"median": float(np.median(deviations)), "largest": float(max(deviations))},
        "file_bytes": {"median": int(np.median(sizes)), "largest": int(max(sizes))},
        "load_seconds": {"median": float(np.median(loads)), "largest": float(max(loads))},
    }


def loads_anyway(content: bytes, robot: Robot) -> bool:
    """Return whether a bad file is taken for a good one."""
    try:
        Controller.from_bytes(Path("bad.onnx"), content, robot)
    except ControllerError:
        return False
    return True


def choice(names: Sequence[str], seed: int) -> tuple[str, str]:
    """Return robot and kind of policy: neighbouring seeds of a robot meet the same kind twice."""
    robot, turn = names[seed % len(names)], seed // len(names)
    return robot, list(KINDS)[(seed % len(names) + turn // 2) % len(KINDS)]


def robots() -> list[Robot]:
    """Return the shipped robots."""
    folder = Path(__file__).parents[2] / "robots"
    return [shipped.find_robot(path.name) for path in sorted(folder.iterdir()) if path.is_dir()]


def task_of(robot: Robot) -> Task:
    """Return the robot's task."""
    return make_task(robot, Kinematics(robot, compile_model(robot)))


def export_policy(robot: Robot, task: Task, kind: str, path: Path, seed: int) -> float:
    """Export a policy with random weights; return its deviation."""
    torch.manual_seed(seed)
    policy = KINDS[kind](task.nobs, len(robot.driven), np.random.default_rng(seed))
    return export(policy, robot, task, path, trained_on={}, origin={"seed": seed})


def feed_forward(activation: str, hidden: tuple[int, ...], *, squash: bool = False) -> Any:
    """Return what makes our own policy."""

    def make(nobs: int, nout: int, rng: np.random.Generator) -> nn.Module:
        policy = Policy((nobs, *hidden, nout), activation, squash=squash)
        policy.mean.copy_(torch.from_numpy(rng.normal(size=nobs)))
        policy.scale.copy_(torch.from_numpy(rng.uniform(0.3, 3.0, nobs)))
        return policy

    return make


def plain(nobs: int, nout: int, rng: np.random.Generator) -> nn.Module:
    """Return anybody's module."""
    return nn.Sequential(nn.Linear(nobs, 64), nn.LayerNorm(64), nn.SiLU(), nn.Linear(64, nout))


def history(fill: Any) -> Any:
    """Return what makes a policy with a history of three observations."""

    def make(nobs: int, nout: int, rng: np.random.Generator) -> nn.Module:
        return History(feed_forward("relu", (64,))(3 * nobs, nout, rng), nobs, 3, fill)

    return make


def recurrent(layer: Any, layers: int = 1) -> Any:
    """Return what makes a recurrent policy behind a normalizer."""

    def make(nobs: int, nout: int, rng: np.random.Generator) -> nn.Module:
        head = nn.Sequential(nn.Linear(48, 32), nn.ELU(), nn.Linear(32, nout))
        policy = RecurrentPolicy(layer(nobs, 48, layers), nn.Identity(), head)
        return Normalized(policy, rng.normal(size=nobs), rng.uniform(0.3, 3.0, nobs), 10.0)

    return make


KINDS: dict[str, Callable[[int, int, np.random.Generator], nn.Module]] = {
    "elu": feed_forward("elu", (64, 64)),
    "gru": recurrent(nn.GRU),
    "lstm": recurrent(nn.LSTM),
    "tanh": feed_forward("tanh", (256, 256, 256)),
    "squashed": feed_forward("relu", (64, 64), squash=True),
    "history": history("zero"),
    "history_first": history("first"),
    "gru_two_layers": recurrent(nn.GRU, 2),
    "plain": plain,
    "relu": feed_forward("relu", (512, 256, 128)),
}

if __name__ == "__main__":
    main()
