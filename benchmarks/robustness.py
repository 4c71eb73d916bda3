"""EPOpt's experiment on the hopper: return against torso mass, by what the policy was trained on.

    python benchmarks/robustness.py [--conditions fixed ...] [--seeds 0 1 2] [--quick]

After Rajeswaran et al. 2017 (EPOpt), figures 1 to 3: torso masses of 3 to 9 kg, a policy trained at
6 kg, one over a distribution of masses, the same trained on in the distribution's worst worlds, and
one that never met another mass but other friction, damping and armature.
Writes results/robustness.json and docs/images/robustness.png; runs two trainings at a time with a
thread each.
"""

import argparse
import dataclasses
import json
import multiprocessing
import tempfile
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

import _result
import numpy as np
import tomli_w

from sim2real import shipped
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.parameters.ranges import Range
from sim2real.randomization.adaptive.epopt import EPOptSettings
from sim2real.randomization.adaptive.settings import AdaptiveSettings
from sim2real.training.job import Job, find_job
from sim2real.training.run import train
from sim2real.training.saved import load_policy

MASS = "body.torso.mass"
MASSES = [3.0 + 0.5 * i for i in range(13)]
WORLDS, WORLD_SEED = 64, 2_000_000
WORST = {"num_envs": 256, "epochs": 3, "minibatches": 4, "learning_rate": 1e-4, "desired_kl": 0.005}
"""PPO of EPOpt: it learns from few episodes at a time, and goes on from what is good already."""
WORST_SHARE = 0.5
"""Steps of EPOpt's second part, as a share of the first's."""
SPREAD = {"set": {"truncated_normal": [6.0, 1.5, 3.0, 9.0]}}
OTHERS = {
    "geom.floor.friction[0]": {"set": [1.5, 2.5]},
    "geom.foot_geom.friction[0]": {"set": [1.5, 2.5]},
    "joint.thigh_joint.damping": {"set": [0.5, 2.5]},
    "joint.leg_joint.damping": {"set": [0.5, 2.5]},
    "joint.foot_joint.damping": {"set": [0.5, 2.5]},
    "joint.thigh_joint.armature": {"set": [0.5, 1.5]},
    "joint.leg_joint.armature": {"set": [0.5, 1.5]},
    "joint.foot_joint.armature": {"set": [0.5, 1.5]},
}
CONDITIONS: dict[str, dict[str, Any]] = {
    "fixed": {MASS: {"set": [6.0, 6.0]}},
    "distribution": {MASS: SPREAD},
    "unmodelled": {MASS: {"set": [6.0, 6.0]}, **OTHERS},
}
"""Condition → the `[randomize]` table it is trained under; `worst` goes on from `distribution`."""
LABELS = {
    "fixed": "trained at 6 kg",
    "distribution": "trained over the distribution",
    "worst": "trained on the distribution's worst tenth (EPOpt)",
    "unmodelled": "trained at 6 kg, other friction, damping and armature",
}
COLOURS = ["#d55e00", "#0072b2", "#cc79a7", "#009e73"]  # told apart by colour-blind readers, too
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "robustness.png"


def main() -> None:
    """Train under every condition, evaluate at every mass, write numbers and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", nargs="+", default=list(CONDITIONS), choices=CONDITIONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=3_000_000)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    steps = 10_000 if chosen.quick else chosen.steps
    cases = [(name, seed, steps) for seed in chosen.seeds for name in chosen.conditions]
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        runs = []
        for finished in pool.imap_unordered(_runs, cases):
            runs += finished
            print(*map(_line, finished), sep="\n", flush=True)
    runs.sort(key=lambda run: (run["condition"], run["seed"]))
    settings = {
        "steps": steps,
        "worlds": WORLDS,
        "conditions": CONDITIONS,
        "worst": WORST,
        "worst_share": WORST_SHARE,
        "quick": chosen.quick,
    }
    results = {"masses": MASSES, "runs": runs}
    print("written:", _result.save("robustness", settings=settings, results=results))
    if not chosen.quick:
        _draw(runs)


def _draw(runs: list[dict[str, Any]]) -> None:
    """Draw return against mass: the mean of the seeds bold, each seed faint."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for colour, condition in zip(COLOURS, LABELS, strict=True):
        curves = [run["return"] for run in runs if run["condition"] == condition]
        if curves:
            axes.plot(MASSES, np.transpose(curves), color=colour, alpha=0.3, linewidth=1)
            axes.plot(
                MASSES,
                np.mean(curves, axis=0),
                color=colour,
                linewidth=2.5,
                label=LABELS[condition],
            )
    axes.set(xlabel="torso mass [kg]", ylabel="return", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)
    print("drawn:", FIGURE)


def _runs(case: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Train one policy, and EPOpt's from it where the case is the distribution; evaluate each."""
    warnings.simplefilter("ignore")
    condition, seed, steps = case
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        robot = _robot(folder / "hopper", CONDITIONS[condition])
        job = find_job("hopper")
        job = dataclasses.replace(job, robot=str(robot), seed=seed, steps=steps, nthread=1)
        runs = [_run(condition, job, folder / condition)]
        if condition == "distribution":  # as published: the worst, once all are learned
            ppo = dataclasses.replace(job.ppo, **WORST)
            adaptive = AdaptiveSettings(algorithm="epopt", epopt=EPOptSettings(burn_in=0))
            start = str(folder / condition)
            job = dataclasses.replace(
                job, start=start, adaptive=adaptive, ppo=ppo, steps=int(steps * WORST_SHARE)
            )
            runs.append(_run("worst", job, folder / "worst"))
    return runs


def _run(condition: str, job: Job, folder: Path) -> dict[str, Any]:
    """Train one policy and return its mean return and that of its worst tenth at each mass."""
    start = time.monotonic()
    train(job, folder)
    policy = load_policy(folder)
    minutes = (time.monotonic() - start) / 60
    evaluations = [evaluate(_worlds(mass), policy.act, seed=WORLD_SEED) for mass in MASSES]
    return {
        "condition": condition,
        "seed": job.seed,
        "steps": job.steps,
        "minutes": round(minutes, 1),
        "return": [round(float(e.returns.mean()), 1) for e in evaluations],
        "worst_tenth": [round(float(np.quantile(e.returns, 0.1)), 1) for e in evaluations],
    }


def _robot(folder: Path, randomize: dict[str, Any]) -> Path:
    """Write the shipped hopper with another `[randomize]` table; return its folder."""
    source = shipped.folder("robots") / "hopper" / "robot.toml"
    table = tomllib.loads(source.read_text()) | {"randomize": randomize}
    folder.mkdir()
    (folder / "robot.toml").write_text(tomli_w.dumps(table))
    return folder


def _worlds(mass: float) -> RobotVectorEnv:
    """Return hoppers of one torso mass, nominal in all else."""
    ranges = {MASS: Range.parse({"set": [mass, mass]}, MASS)}
    robot = shipped.find_robot("hopper").with_ranges(ranges)
    return RobotVectorEnv(robot, WORLDS, seed=WORLD_SEED)


def _line(run: dict[str, Any]) -> str:
    returns = json.dumps([round(value) for value in run["return"]])
    return f"{run['condition']:12} seed {run['seed']} {run['minutes']:5.1f} min  {returns}"


if __name__ == "__main__":
    main()
