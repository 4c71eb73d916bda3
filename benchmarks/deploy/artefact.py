"""Is the exported file what torch is, one file, the same each time, and closed to any change?

    python benchmarks/deploy/artefact.py [--quick]

Policies of the sizes that robots get, each exported twice for the SO-101, and compared with torch
in float64 over 2,000 steps that carry their states. Then 100 single bits of the file are changed,
each at another place. `proof.py` plants whole bugs, `import_cost.py` has what an import costs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from sim2real import shipped
from sim2real.deploy.controller import Controller, open_session
from sim2real.deploy.spec import METADATA_KEY
from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ControllerError
from sim2real.export.c.c_file import write_c
from sim2real.export.graph import ControllerGraph
from sim2real.export.onnx_file import export
from sim2real.export.tape import steps
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.from_stable_baselines3 import from_stable_baselines3
from sim2real.training.policy import Policy
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import Normalized

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

ROBOT = shipped.find_robot("so101")
TASK = make_task(ROBOT, Kinematics(ROBOT, compile_model(ROBOT)))
NOBS, NOUT = TASK.nobs, len(ROBOT.driven)
TARGETS = {"deviation": 1e-5, "refused": "100 of 100", "collect_ms": 1.0}

COLLECT = """
import gc, json, sys, time
from pathlib import Path
from sim2real.deploy.controller import Controller
from sim2real.deploy.process import frozen_gc
Controller.load(Path(sys.argv[1]), None)
with frozen_gc():
    start = time.perf_counter()
    gc.collect()
    print(1e3 * (time.perf_counter() - start))
"""


def main() -> None:
    """Export, compare, change; write results/artefact.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    count = 100 if quick else 2000
    results = {}
    for name in list(POLICIES)[: 2 if quick else None]:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = examine(name, Path(folder), count)
            print(name, results[name], flush=True)
    settings = {"quick": quick, "steps": count, "targets": TARGETS, "robot": ROBOT.name}
    print(_result.save("artefact", settings=settings, results=results))


def examine(name: str, folder: Path, count: int) -> dict[str, Any]:
    """Return what is true of one policy's file."""
    torch.manual_seed(0)
    policy, path = POLICIES[name](), folder / "controller.onnx"
    export(policy, ROBOT, TASK, path, trained_on={}, origin={"seed": 0})
    files = [each.name for each in folder.iterdir()]
    content = path.read_bytes()
    export(policy, ROBOT, TASK, path, trained_on={}, origin={"seed": 0})
    spec = Controller.load(path, ROBOT).spec
    text = open_session(path, content).get_modelmeta().custom_metadata_map[METADATA_KEY]
    collect = subprocess.run(
        [sys.executable, "-c", COLLECT, str(path)], capture_output=True, text=True, check=True
    )
    return {
        "bytes": len(content),
        "files": len(files),
        "same_bytes_again": path.read_bytes() == content,
        "paths": len(re.findall(rb"/(?:home|root|tmp|usr|work)/\w+|\w+\.py\b", content)),
        "metadata_exact": json.loads(text) == json.loads(spec.to_json()),
        "deviation": deviation(policy, path, content, count),
        "c_deviation": write_c(path, folder / "policy.c").deviation,
        "refused": sum(refused(content, path, seed) for seed in range(100)),
        "collect_ms": float(collect.stdout),
    }


def deviation(policy: nn.Module, path: Path, content: bytes, count: int) -> float:
    """Return the largest difference from torch in float64, each carrying its own states."""
    graph = ControllerGraph(ROBOT, TASK, policy)
    session, worst = open_session(path, content), 0.0
    states: dict[str, Any] = {}
    for step in steps(graph, count, seed=11):
        states = states or {name: value.numpy() for name, value in step.state.items()}
        feed = {name: value.numpy() for name, value in step.inputs.items()} | states
        answers = dict(zip(graph.output_names, session.run(graph.output_names, feed), strict=True))
        for name, value in step.outputs.items():
            worst = max(worst, float(np.abs(answers[name] - value.numpy()).max()))
        states = {name: answers[f"next.{name}"] for name in graph.state_sizes}
    return worst


def refused(content: bytes, path: Path, seed: int) -> bool:
    """Return whether the file is refused with one bit changed."""
    rng, changed = np.random.default_rng(seed), bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    try:
        Controller.from_bytes(path, bytes(changed), ROBOT)
    except ControllerError:
        return True
    return False


def mlp(hidden: tuple[int, ...]) -> Callable[[], nn.Module]:
    """Return what makes a perceptron behind a normalizer."""
    return lambda: normalized(Policy((NOBS, *hidden, NOUT), "elu"))


def recurrent(layer: Any) -> Callable[[], nn.Module]:
    """Return what makes a recurrent policy behind a normalizer."""
    return lambda: normalized(RecurrentPolicy(layer(NOBS, 128), nn.Identity(), mlp_head(128)))


def mlp_head(size: int) -> nn.Module:
    """Return what stands behind a recurrent layer."""
    return nn.Sequential(nn.Linear(size, 64), nn.ELU(), nn.Linear(64, NOUT))


def normalized(policy: nn.Module) -> nn.Module:
    """Put a normalizer before a policy."""
    rng = np.random.default_rng(0)
    return Normalized(policy, rng.normal(size=NOBS), rng.uniform(0.3, 3.0, NOBS), 10.0)


def library(algorithm: Any) -> Callable[[], nn.Module]:
    """Return what makes a policy of stable-baselines3 behind its VecNormalize."""

    def make() -> nn.Module:
        env = VecNormalize(StableBaselines3Env(RobotVectorEnv(ROBOT, 1, seed=0)))
        env.reset()
        rng = np.random.default_rng(0)
        for _ in range(50):
            env.step(rng.uniform(-1, 1, (1, NOUT)).astype(np.float32))
        env.training = False
        return from_stable_baselines3(algorithm("MlpPolicy", env, seed=0, device="cpu"), env)

    return make


POLICIES: dict[str, Callable[[], nn.Module]] = {
    "mlp 256-256-256": mlp((256, 256, 256)),
    "mlp 512-256-128": mlp((512, 256, 128)),
    "gru 128": recurrent(nn.GRU),
    "lstm 128": recurrent(nn.LSTM),
    "stable-baselines3 PPO": library(PPO),
    "stable-baselines3 SAC": library(SAC),
}

if __name__ == "__main__":
    main()
