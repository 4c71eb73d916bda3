"""How often a log that is read wrong is told, and a log that is read right is not doubted.

    python benchmarks/log_plausibility.py [--logs ../shared/logs] [--quick]

Real logs of each recipe that ships with the package are read right, and then as if the recipe were
wrong: degrees for radians, each joint inverted, each pair of joints swapped, a drifting clock.
"""

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import _result
import numpy as np

from sim2real.calibration.logs.read import read_rows
from sim2real.calibration.plausibility.check import findings
from sim2real.calibration.recipe import Recipe
from sim2real.robot import Robot
from sim2real.shipped import find_robot, folder
from sim2real.trajectory import Trajectory

LOGS = Path(__file__).resolve().parents[2] / "shared" / "logs"
FOLDERS = {
    "pendulum_dfki": ("pendulum", "*.csv"),
    "double_pendulum_dfki": ("double_pendulum", "*.csv"),
    "so101_sage": ("so101", "*__state_motor.csv"),
    "xl330": ("xl330", "kp*.json"),
}
DEGREE = 180 / np.pi
SECONDS = 0.1


def main() -> None:
    """Read all logs in all ways and write results/log_plausibility.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=LOGS)
    parser.add_argument("--quick", action="store_true", help="one log of each robot: a smoke test")
    arguments = parser.parse_args()
    if not arguments.logs.is_dir():
        sys.exit(f"no logs in {arguments.logs}: give --logs")
    results: dict[str, dict[str, dict[str, int]]] = {}
    for recipe, (name, pattern) in FOLDERS.items():
        if not (folder("calibration") / recipe / "recipe.toml").is_file():
            continue
        paths = sorted((arguments.logs / name).glob(pattern))
        results[name] = tally(recipe, paths[:1] if arguments.quick else paths)
        for way, count in results[name].items():
            print(f"{name:16} {way:45} {count['told']:3d} of {count['logs']}", flush=True)
    settings = {"drift_seconds": SECONDS, "quick": arguments.quick}
    print("written:", _result.save("log_plausibility", settings=settings, results=results))


def tally(name: str, paths: list[Path]) -> dict[str, dict[str, int]]:
    """Return for each way of reading how many there were and how many were told."""
    recipe = Recipe.load(folder("calibration") / name)
    robot = find_robot(recipe.robot)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"logs": 0, "told": 0})
    for path in paths:
        for way, log in readings(read_rows(path, recipe, robot), robot):
            counts[way]["logs"] += 1
            counts[way]["told"] += bool(findings(log, robot))
    return dict(counts)


def readings(log: Trajectory, robot: Robot) -> Iterator[tuple[str, Trajectory]]:
    """Yield the log as it is, and as wrong recipes would read it; joints that move only."""
    moving = [i for i in range(len(log.joints)) if np.ptp(log.position[:, i]) > 0.05]
    position, velocity, command = log.position, log.velocity, log.command
    yield "read right", log
    both = replace(log, position=position * DEGREE, velocity=velocity * DEGREE)
    yield "degrees: position and velocity", both
    yield "degrees: position alone", replace(log, position=position * DEGREE)
    yield "degrees: velocity alone", replace(log, velocity=velocity * DEGREE)
    if all(robot.joints[joint].mode == "position" for joint in log.driven):
        yield "degrees: all signals", replace(both, command=command * DEGREE)
    for i in moving:
        signs = np.where(np.arange(len(log.joints)) == i, -1.0, 1.0)
        yield (
            "inverted: position and velocity of a joint",
            replace(log, position=position * signs, velocity=velocity * signs),
        )
        yield "inverted: velocity of a joint", replace(log, velocity=velocity * signs)
        if np.ptp(command[:, i]) > 0.01:
            yield "inverted: command of a joint", replace(log, command=command * signs)
    for i, j in itertools.combinations(moving, 2):
        order = list(range(len(log.joints)))
        order[i], order[j] = j, i
        measured = replace(log, position=position[:, order], velocity=velocity[:, order])
        yield "swapped: measurements of two joints", measured
        yield "swapped: velocities of two joints", replace(log, velocity=velocity[:, order])
        yield "swapped: commands of two joints", replace(log, command=command[:, order])
        yield "swapped: all signals of two joints", replace(measured, command=command[:, order])
    if log.seconds[-1] > 40.0:
        for way, drift in (("an even clock of its own", 0.0), (f"drift: {SECONDS} s", SECONDS)):
            sent = (log.time - log.time[0]) * (1 + drift / log.seconds[-1])
            stamps = log.time[0] + np.round(sent).astype(np.int64) + 1_000_000
            yield f"commands with {way}", replace(log, command_time=stamps)


if __name__ == "__main__":
    main()
