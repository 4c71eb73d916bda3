"""Trainings with and without a correction, each scored on the target."""

import argparse
import dataclasses
import time
from typing import Any

import _result
import numpy as np
import torch

from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.gap.build import target_environment
from sim2real.gap.settings import GapSettings
from sim2real.parameters import randomness
from sim2real.robot import Robot
from sim2real.training.correction import RoundCorrection
from sim2real.training.job import PPOSettings
from sim2real.training.ppo import PPOTrainer

EPISODES = {"mujoco": 32, "bullet": 8}
_SCORED = 1_000_000


def beside_source(
    name: str, about: str, robot: Robot, settings: PPOSettings, gap: GapSettings, *, quick: int
) -> None:
    """Run DARC and the source's own policy with each seed of the command line, and write NAME.json.

    Args:
        name: of the result.
        about: what `--help` says.
        robot: the source.
        settings: of PPO.
        gap: which target.
        quick: control steps of a smoke test.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    if chosen.quick:
        settings = dataclasses.replace(settings, steps=quick)
    results: dict[str, Any] = {}
    for seed in chosen.seeds:
        for arm, method in (("source", None), ("reward", "reward")):
            row = run(robot, settings, of_method(gap, method), seed=seed)
            row.pop("state")
            results.setdefault(arm, {})[str(seed)] = row
            print(arm, row, flush=True)
            facts = {"ppo": dataclasses.asdict(settings), "gap": dataclasses.asdict(gap)}
            _result.save(name, settings=facts | {"quick": chosen.quick}, results=results)


def run(
    robot: Robot,
    settings: PPOSettings,
    gap: GapSettings,
    *,
    seed: int,
    on_target: bool = False,
    start: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the returns, on source and target, of what PPO learns.

    Args:
        robot: the source.
        settings: of PPO.
        gap: which target, and what is done about it.
        seed: of everything.
        on_target: learn on the target itself: the upper bound.
        start: a trainer's state to begin with: fine-tuning.
    """
    torch.set_num_threads(1)
    training = randomness.integer_seed(seed, "training")
    if on_target:
        env = target_environment(gap, robot, settings.num_envs, training)
    else:
        env = RobotVectorEnv(robot, settings.num_envs, seed=training)
    env.set_progress(0.0)
    rounds = settings.steps // (settings.num_envs * settings.rollout_steps)
    correction = None
    if gap.method is not None:
        correction = RoundCorrection(gap, env, rounds=rounds, seed=seed)
    trainer = PPOTrainer(
        env, settings, randomness.integer_seed(seed, "learning"), correction=correction
    )
    if start is not None:
        trainer.start_from(start)
    target = target_environment(gap, robot, EPISODES[gap.engine], _SCORED)
    began, cpu = time.perf_counter(), time.process_time()
    logged: list[dict[str, float]] = []
    curve: dict[int, float] = {}
    for number in range(rounds):
        env.set_progress(number / rounds)
        logged.append(trainer.iterate())
        if on_target and (number + 1) % max(1, rounds // 12) == 0:
            curve[trainer.steps] = score(target, trainer)["return"]
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    late = logged[-max(1, rounds // 5) :]
    gap_numbers = {
        name: round(float(np.mean([row[name] for row in late if name in row])), 4)
        for name in late[-1]
        if name.startswith("gap/")
    }
    scored = score(target, trainer)
    steps = trainer.steps if on_target else 0
    if correction is not None:
        steps = correction.gap.target.steps
    return {
        "seed": seed,
        "target": scored["return"],
        "success": scored["success"],
        "episode_steps": scored["steps"],
        "source": score(RobotVectorEnv(robot, 32, seed=_SCORED), trainer)["return"],
        "target_steps": steps,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "curve": curve,
        "gap": gap_numbers,
        "warnings": [] if correction is None else correction.warnings(),
        "state": trainer.state_dict(),
    }


def score(env: RobotVectorEnv, trainer: PPOTrainer) -> dict[str, float]:
    """Return how the policy does over an episode of each environment."""
    with torch.random.fork_rng(devices=[]):
        policy = trainer.policy()
    found = evaluate(env, policy.act, seed=_SCORED)
    return found.summary() | {"steps": float(found.steps.mean())}


def of_method(base: GapSettings, method: Any, **changes: Any) -> GapSettings:
    """Return settings of another method."""
    return dataclasses.replace(base, method=method, **changes)
