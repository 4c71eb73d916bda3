"""PPO end to end on the hopper: our trainer (rsl_rl) and stable-baselines3, frames a second.

    python benchmarks/ppo_speed.py [--quick]

Both collect and learn from the same environment with the same network, rollouts, minibatches and
epochs, and two simulator threads. They take turns, an iteration each. Ours normalizes observations
and adapts its learning rate; stable-baselines3 runs with its VecNormalize, which is the same task,
and without. Ours updates on two torch threads and acts on one; stable-baselines3 knows no such
difference and runs with one throughout and with two. Our critic is not given the privileged
observation.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import _result
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.shipped import find_robot
from sim2real.training.job import PPOSettings
from sim2real.training.ppo import PPOTrainer

SEED, THREADS = 1, 2


def main() -> None:
    """Take turns and write results/ppo_speed.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few iterations: a smoke test")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    settings = PPOSettings(privileged_critic=False)
    contestants = {
        "ours": ours(settings),
        "stable_baselines3": stable_baselines3(settings, 1, normalized=False),
        "stable_baselines3_normalized": stable_baselines3(settings, 1, normalized=True),
        "stable_baselines3_two_threads": stable_baselines3(settings, 2, normalized=False),
    }
    by_wall, by_cpu = _result.alternate(contestants, repetitions=1 if quick else 20)
    results = {"wall": summarize(by_wall), "cpu": summarize(by_cpu)}
    for kind, result in results.items():
        for name, rate in result["frames_per_second"].items():
            print(f"{kind:5} {name:35} {rate:8.0f} frames/s")
        for name, value in result["ours_over"].items():
            print(f"{kind:5} ours / {name:28} {value:8.3f}  (target: above 1)")
    path = _result.save(
        "ppo_speed",
        settings={
            "robot": "hopper", "seed": SEED, "threads": THREADS,
            "num_envs": settings.num_envs, "rollout_steps": settings.rollout_steps,
            "hidden": settings.hidden, "activation": settings.activation,
            "epochs": settings.epochs, "minibatches": settings.minibatches, "quick": quick,
        },
        results=results,
    )  # fmt: skip
    print("written:", path)


def summarize(rates: _result.Rates) -> dict[str, Any]:
    """Return all repetitions, the medians, and ours as a multiple of each of the others."""
    others = [name for name in rates if name != "ours"]
    return {
        "frames_per_second": _result.medians(rates),
        "ours_over": {name: _result.ratio(rates, "ours", name) for name in others},
        "repetitions": rates,
    }


def environment(settings: PPOSettings) -> RobotVectorEnv:
    """Return the randomized hoppers."""
    return RobotVectorEnv(find_robot("hopper"), settings.num_envs, seed=SEED, nthread=THREADS)


def ours(settings: PPOSettings) -> Callable[[], int]:
    """Return an iteration of our trainer."""
    trainer = PPOTrainer(environment(settings), settings, SEED, THREADS)

    def iterate() -> int:
        torch.set_num_threads(1)
        trainer.iterate()
        return settings.num_envs * settings.rollout_steps

    return iterate


def stable_baselines3(
    settings: PPOSettings, torch_threads: int, *, normalized: bool
) -> Callable[[], int]:
    """Return an iteration of stable-baselines3's PPO."""
    frames = settings.num_envs * settings.rollout_steps
    network = {
        "net_arch": list(settings.hidden),
        "activation_fn": torch.nn.ELU,
        "log_std_init": float(torch.tensor(settings.init_std).log()),
    }
    env: VecEnv = StableBaselines3Env(environment(settings))
    if normalized:
        env = VecNormalize(env, norm_reward=False)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=settings.learning_rate,
        n_steps=settings.rollout_steps,
        batch_size=frames // settings.minibatches,
        n_epochs=settings.epochs,
        gamma=settings.gamma,
        gae_lambda=settings.lam,
        clip_range=settings.clip,
        ent_coef=settings.entropy,
        max_grad_norm=1.0,
        policy_kwargs=network,
        seed=SEED,
        device="cpu",
    )

    def iterate() -> int:
        torch.set_num_threads(torch_threads)
        model.learn(frames, reset_num_timesteps=False)
        return frames

    return iterate


if __name__ == "__main__":
    main()
