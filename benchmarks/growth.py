"""How speed and memory grow with the number of simulations, every kind of parameter on.

    python benchmarks/growth.py [--quick]

Frames a second of our environment and of the loop by hand, from 1 to 16,384 simulations, and the
memory that each further simulation takes. Writes results/growth.json and docs/images/growth.png.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import _plan
import _result
import engine
import numpy as np
import throughput

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.shipped import find_robot

ROBOTS = ("pendulum", "half_cheetah", "quadruped")
COUNTS = (1, 4, 16, 64, 256, 1024, 4096, 16384)
FEW, MANY = 1024, 9216  # simulations, between which memory is measured
FRAMES = 16384
"""About as many frames as a stretch makes."""
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "growth.png"


def main() -> None:
    """Measure, print, write the numbers and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few simulations: a smoke test")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.memory:
        return print(json.dumps(_memory(chosen.memory[0], int(chosen.memory[1]))))
    counts = COUNTS[:4] if chosen.quick else COUNTS
    results = {}
    for name in ROBOTS:
        speeds = {count: _speed(name, count, 2 if chosen.quick else 3) for count in counts}
        few, many = (_memory_of(name, count) for count in (FEW, MANY))
        kilobytes = (many - few) / (MANY - FEW) / 1000
        results[name] = {"frames_per_second": speeds, "kilobytes_a_simulation": kilobytes}
        print(f"{name}: {kilobytes:.1f} kB a simulation")
        for count, speed in speeds.items():
            print(f"  {count:6} {speed['ours']:8.0f} {speed['by_hand']:8.0f}", flush=True)
    settings = {"threads": engine.THREADS, "quick": chosen.quick}
    print("written:", _result.save("growth", settings=settings, results=results))
    if not chosen.quick:
        _draw(results)
    return None


def _speed(name: str, count: int, repetitions: int) -> dict[str, float]:
    """Return the median frames/s of both, with `count` simulations."""
    robot = _plan.with_all_kinds(find_robot(name))
    steps = min(max(FRAMES // count, 3), 300)
    envs: dict[str, Any] = {
        "ours": engine.ours(robot, count),
        "by_hand": engine.by_hand(robot, count),
    }
    contestants = {key: throughput.stretch(env, count, steps) for key, env in envs.items()}
    return _result.medians(_result.alternate(contestants, repetitions)[0])


def _memory_of(name: str, count: int) -> int:
    """Return the memory [B] of a process of its own with `count` simulations."""
    command = [sys.executable, __file__, "--memory", name, str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _memory(name: str, count: int) -> int:
    """Return the memory [B] of this process once it has stepped `count` simulations."""
    robot = _plan.with_all_kinds(find_robot(name))
    env = RobotVectorEnv(robot, count, nthread=engine.THREADS)
    env.reset()
    action = np.zeros(env.action_space.shape or (), np.float32)
    for _ in range(3):
        env.step(action)
    time.sleep(0.1)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _draw(results: dict[str, Any]) -> None:
    """Draw frames a second against the number of simulations."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
    colours = ("#0072b2", "#d55e00", "#009e73")  # told apart by colour-blind readers, too
    for colour, (name, result) in zip(colours, results.items(), strict=True):
        counts = list(result["frames_per_second"])
        speeds = list(result["frames_per_second"].values())
        label = f"{name} ({result['kilobytes_a_simulation']:.0f} kB a simulation)"
        axes.loglog(counts, [s["ours"] for s in speeds], "o-", color=colour, label=label)
        axes.loglog(counts, [s["by_hand"] for s in speeds], ":", color=colour)
    axes.plot([], [], ":", color="grey", label="a loop by hand")
    axes.set(xlabel="simulations", ylabel="control steps a second, on two threads")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)
    print("drawn:", FIGURE)


if __name__ == "__main__":
    main()
