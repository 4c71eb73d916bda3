"""What the shipped settings learn: each robot, each algorithm, several seeds.

    python benchmarks/training.py [--robots hopper ...] [--algorithms sac ...] [--quick]

Trains with `launch/<robot>.toml` as `sim2real train` does, two runs at a time with a thread each,
and evaluates the policy that was kept in 512 randomized worlds that no training has seen.
Writes results/training_<robot>_<algorithm>.json with every seed and its learning curve.
"""

import argparse
import dataclasses
import json
import multiprocessing
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import _result

from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.shipped import find_robot, robot_names
from sim2real.training.job import Job, find_job
from sim2real.training.run import train
from sim2real.training.saved import load_policy

WORLDS, WORLD_SEED = 512, 1_000_000


def main() -> None:
    """Train everything that is asked for and write a result for each robot and algorithm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robots", nargs="+", default=robot_names(), choices=robot_names())
    parser.add_argument("--algorithms", nargs="+", default=["ppo", "sac"], choices=["ppo", "sac"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    for robot in chosen.robots:
        for algorithm in chosen.algorithms:
            jobs = [_job(robot, algorithm, seed, quick=chosen.quick) for seed in chosen.seeds]
            with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
                runs = pool.map(_train, jobs, chunksize=1)
            _report(robot, algorithm, runs)
            settings = {"job": dataclasses.asdict(jobs[0]), "worlds": WORLDS, "quick": chosen.quick}
            path = _result.save(
                f"training_{robot}_{algorithm}", settings=settings, results={"runs": runs}
            )
            print("written:", path, flush=True)


def _job(robot: str, algorithm: Any, seed: int, *, quick: bool) -> Job:
    job = dataclasses.replace(find_job(robot), algorithm=algorithm, seed=seed, nthread=1)
    return dataclasses.replace(job, steps=10_000) if quick else job


def _train(job: Job) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        train(job, folder)
        minutes = (time.monotonic() - start) / 60
        worlds = RobotVectorEnv(find_robot(job.robot), WORLDS, seed=WORLD_SEED)
        summary = evaluate(worlds, load_policy(folder).act, seed=WORLD_SEED).summary()
        lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    curve = {
        line["steps"]: round(line["evaluation/return"], 1)
        for line in lines
        if "evaluation/return" in line
    }
    return {"seed": job.seed, "minutes": minutes, **summary, "curve": curve}


def _report(robot: str, algorithm: str, runs: list[dict[str, Any]]) -> None:
    for run in runs:
        print(
            f"{robot:9} {algorithm}  seed {run['seed']}: return {run['return']:7.1f}  worst tenth"
            f" {run['worst_tenth']:7.1f}  success {run['success']:6.1%}  {run['minutes']:.1f} min"
        )


if __name__ == "__main__":
    main()
