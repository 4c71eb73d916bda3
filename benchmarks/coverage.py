"""How often coverage calls a robot about right that is a draw of the ranges.

    python benchmarks/coverage.py [--robots 60] [--quick]

Pendulums drawn from the shipped ranges, each recorded for 5 s of noisy motion and replayed in the
worlds of the same ranges: by its criterion, 2 % of them may be called too narrow, and 5 % too wide.
Writes results/coverage.json.
"""

import argparse
import collections
import sys
from pathlib import Path

import _result
import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "gap"))
from _twin import record

from sim2real.evaluation.coverage.replay import Replayer
from sim2real.evaluation.coverage.verdict import judge
from sim2real.randomization.parameters import ParameterSet
from sim2real.shipped import find_robot
from sim2real.sim.model import compile_model

SEED, SECONDS, WORLDS = 4_000, 5.0, 240
POSITION_NOISE, VELOCITY_NOISE = 2e-3, 5e-2


def main() -> None:
    """Draw, record and judge the robots, and write results/coverage.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--robots", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="two robots: a smoke test")
    chosen = parser.parse_args()
    count = 2 if chosen.quick else chosen.robots
    rows = [{"seed": SEED + i, **verdict(SEED + i)} for i in range(count)]
    counts = collections.Counter(row["verdict"] for row in rows)
    print(dict(counts))
    settings = {
        "robot": "pendulum", "seconds": SECONDS, "worlds": WORLDS,
        "noise": [POSITION_NOISE, VELOCITY_NOISE], "quick": chosen.quick,
    }  # fmt: skip
    results = {"verdicts": dict(counts), "robots": rows}
    print("written:", _result.save("coverage", settings=settings, results=results))


def verdict(seed: int) -> dict[str, object]:
    """Return what coverage says of one robot of the ranges, in worlds of other seeds."""
    robot = find_robot("pendulum")
    names = [name for name in robot.ranges if "noise" not in name]
    planted = _drawn(seed, names)
    log = record(
        robot, planted, seconds=SECONDS, seed=seed,
        noise=POSITION_NOISE, velocity_noise=VELOCITY_NOISE,
    )  # fmt: skip
    replayer = Replayer(robot, [log], seed=seed)
    horizon = replayer.choose_horizon()
    windows = replayer.windows(horizon)
    found = judge(replayer.replay(replayer.draw(WORLDS), windows, horizon))
    print(seed, found.verdict, f"too narrow {found.p_narrow:.3f}, too wide {found.p_wide:.3f}")
    return {
        "verdict": found.verdict,
        "p_narrow": round(found.p_narrow, 4),
        "p_wide": round(found.p_wide, 4),
        "planted": {name: round(value, 6) for name, value in planted.items()},
    }


def _drawn(seed: int, names: list[str]) -> dict[str, float]:
    """Return one world of the shipped ranges, independent of those that it is judged among."""
    robot, rng = find_robot("pendulum"), np.random.default_rng((seed, 7))
    nominal = dict(zip(names, _nominal(names), strict=True))
    return {
        name: float(robot.ranges[name].values(nominal[name], rng.uniform(size=1))[0])
        for name in names
    }


def _nominal(names: list[str]) -> list[float]:
    robot = find_robot("pendulum")
    return ParameterSet(compile_model(robot), tuple(robot.joints), names).nominal.tolist()


if __name__ == "__main__":
    main()
