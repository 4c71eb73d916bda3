"""Frames a second of randomized simulation: ours, a loop written by hand, EnvPool, gymnasium.

    python benchmarks/throughput.py [--quick]

All step random actions and restart what has ended. Ours and the loop by hand randomize the
dynamics of every episode and add sensor noise; EnvPool and gymnasium have no randomization.
Contestants take turns in short stretches; what is quoted are medians, and medians of the ratios
of neighbouring stretches, because the machine may be busy with other things. Beside frames a second
stand frames a second of processor time, which hardly depend on those other things.
"""

import argparse
import os
import warnings
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy: favours gymnasium's many processes

import _result
import gymnasium
import numpy as np
from _by_hand import ByHand

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.robot import Robot
from sim2real.shipped import find_robot

NUM_ENVS, THREADS, SEED = 256, 2, 1
ROBOTS = {"hopper": "Hopper", "half_cheetah": "HalfCheetah"}
TARGETS = {"by_hand": 0.9, "envpool": 1.0, "async_vector_env": 3.0}


def main() -> None:
    """Run for both robots and write results/throughput.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few stretches: a smoke test")
    quick = parser.parse_args().quick
    steps, repetitions = (10, 3) if quick else (20, 30)
    processes = (2,) if quick else (2, 8)
    warnings.simplefilter("ignore")  # gymnasium's advice, the model file's old attributes
    results = {}
    for robot, name in ROBOTS.items():
        by_wall, by_cpu = compare(robot, name, steps, repetitions, processes)
        results[robot] = {"wall": summarize(by_wall), "cpu": summarize(by_cpu)}
        show(robot, results[robot])
    settings = {
        "num_envs": NUM_ENVS, "threads": THREADS, "seed": SEED, "steps_a_stretch": steps,
        "repetitions": repetitions, "targets": TARGETS, "quick": quick,
        "async_vector_env": f"one process an environment, the faster of {processes} processes;"
        " shared memory, one numerical thread a process",
    }  # fmt: skip
    print("written:", _result.save("throughput", settings=settings, results=results))


def compare(
    robot_name: str, name: str, steps: int, repetitions: int, processes: tuple[int, ...]
) -> tuple[_result.Rates, _result.Rates]:
    """Return the frames/s of all contestants on one robot, by the clock and by processor time."""
    robot = find_robot(robot_name)
    envs: dict[str, Any] = {  # those that are compared most closely stand side by side
        "by_hand": ByHand(robot, NUM_ENVS, THREADS, SEED),
        "ours": ours(robot, randomized=True),
        "envpool": envpool(f"{name}-v4"),
        "ours_not_randomized": ours(robot, randomized=False),
    }
    contestants = {key: stretch(env, NUM_ENVS, steps) for key, env in envs.items()}
    for count in processes:
        envs[f"async_{count}"] = env = async_vector_env(f"{name}-v5", count)
        # as long a stretch as the others': their frames are made by 256 environments
        contestants[f"async_{count}"] = stretch(env, count, max(steps * 32 // count, 1))
    try:
        return _result.alternate(contestants, repetitions)
    finally:
        for env in envs.values():
            env.close()


def ours(robot: Robot, *, randomized: bool) -> RobotVectorEnv:
    """Return our environment, with its episodes at random ages: restarts come at any time."""
    env = RobotVectorEnv(robot, NUM_ENVS, seed=SEED, nthread=THREADS, randomized=randomized)
    env.reset()
    env.steps[:] = np.random.default_rng(SEED).integers(env.max_steps, size=NUM_ENVS)
    return env


def envpool(name: str) -> Any:
    """Return EnvPool's environment."""
    import envpool

    env = envpool.make_gymnasium(name, num_envs=NUM_ENVS, num_threads=THREADS, seed=SEED)
    env.reset()
    return env


def async_vector_env(name: str, count: int, **options: Any) -> Any:
    """Return gymnasium's environments, each in a process."""
    env = gymnasium.make_vec(name, count, vectorization_mode="async", **options)
    env.reset(seed=SEED)
    return env


def stretch(env: Any, num_envs: int, steps: int) -> Callable[[], int]:
    """Return a function that advances `env` by `steps` control steps and returns the frames."""
    space = env.action_space
    dtype, size = space.dtype, space.shape[-1]
    plan = np.random.default_rng(SEED).uniform(-1.0, 1.0, (steps, num_envs, size)).astype(dtype)

    def advance() -> int:
        for action in plan:
            env.step(action)
        return steps * num_envs

    return advance


def summarize(rates: _result.Rates) -> dict[str, Any]:
    """Return all repetitions, the medians, and ours as a multiple of each of the others."""
    medians = _result.medians(rates)
    fastest = max((name for name in rates if name.startswith("async_")), key=medians.__getitem__)
    others = {"by_hand": "by_hand", "envpool": "envpool", "async_vector_env": fastest}
    ratios = {name: _result.ratio(rates, "ours", other) for name, other in others.items()}
    ratios["ours_not_randomized"] = _result.ratio(rates, "ours", "ours_not_randomized")
    return {"frames_per_second": medians, "ours_over": ratios, "repetitions": rates}


def show(robot: str, result: dict[str, Any]) -> None:
    """Print one robot's table."""
    wall, cpu = result["wall"], result["cpu"]
    print(f"\n{robot}: medians      frames/s   frames/s of processor time")
    for name, rate in wall["frames_per_second"].items():
        print(f"  {name:24} {rate:8.0f} {cpu['frames_per_second'][name]:8.0f}")
    for name, value in wall["ours_over"].items():
        target = f"  (target {TARGETS[name]:g})" if name in TARGETS else ""
        print(f"  ours / {name:17} {value:8.3f} {cpu['ours_over'][name]:8.3f}{target}")


if __name__ == "__main__":
    main()
